package peer;

import java.io.Serializable;
import java.lang.reflect.Field;
import java.util.concurrent.CompletableFuture;

/** The message of the benchmark as the plain object that Dubbo's own protocol takes. */
public final class Plain {
    private static final String TEXT = "许多往事在眼前一幕一幕，变的那麼模糊";

    private Plain() {}

    /** What is served. */
    public interface Service {
        /** Answers. */
        Message say(Message message);

        /** The same, with a future. */
        CompletableFuture<Message> sayAsync(Message message);
    }

    /** The fields of the proto file. */
    public static final class Message implements Serializable {
        private static final long serialVersionUID = 1;

        public String field1, field9, field18, field4, field7, field102, field103, field129;
        public boolean field80, field81, field59, field12, field17, field13, field14, field30, field24, field78;
        public int field2, field3, field280, field6, field16, field130, field104, field100, field101, field29;
        public int field60, field271, field272, field150, field23, field25, field67, field68, field128, field131;
        public long field22;
        public long[] field5 = {};
    }

    static Message request() {
        Message message = new Message();
        try {
            for (Field field : Message.class.getFields()) {
                if (field.getType() == String.class) {
                    field.set(message, TEXT);
                } else if (field.getType() == boolean.class) {
                    field.setBoolean(message, true);
                } else if (field.getType() == int.class) {
                    field.setInt(message, 100_000);
                } else if (field.getType() == long.class) {
                    field.setLong(message, 100_000);
                }
            }
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
        return message;
    }

    static Message answer(Message message) {
        message.field1 = "OK";
        message.field2 = 100;
        return message;
    }

    static void check(Message message) {
        if (!message.field1.equals("OK") || message.field2 != 100 || message.field131 != 100_000) {
            throw new IllegalStateException("a reply without OK and 100");
        }
    }
}
