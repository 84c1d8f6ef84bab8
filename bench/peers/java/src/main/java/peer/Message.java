package peer;

import com.google.protobuf.Descriptors.FieldDescriptor;
import pb.Benchmark.BenchmarkMessage;

/** The message of the rpcx benchmark. */
final class Message {
    private static final String TEXT = "许多往事在眼前一幕一幕，变的那麼模糊";
    private static final int SIZE = 581;

    private Message() {}

    /** What a client sends: every field set but {@code field5}. */
    static BenchmarkMessage request() {
        BenchmarkMessage.Builder builder = BenchmarkMessage.newBuilder();
        for (FieldDescriptor field : BenchmarkMessage.getDescriptor().getFields()) {
            if (field.isRepeated()) {
                continue;
            }
            builder.setField(field, switch (field.getJavaType()) {
                case STRING -> TEXT;
                case BOOLEAN -> true;
                case INT -> 100_000;
                case LONG -> 100_000L;
                default -> throw new IllegalStateException(field.getFullName());
            });
        }
        BenchmarkMessage message = builder.build();
        if (message.getSerializedSize() != SIZE) {
            throw new IllegalStateException("the message has " + message.getSerializedSize() + " bytes, not " + SIZE);
        }
        return message;
    }

    /** What a server makes of it. */
    static BenchmarkMessage answer(BenchmarkMessage request) {
        return request.toBuilder().setField1("OK").setField2(100).build();
    }

    /** What a client looks at in every reply. */
    static void check(BenchmarkMessage reply) {
        if (!reply.getField1().equals("OK") || reply.getField2() != 100) {
            throw new IllegalStateException("a reply without OK and 100");
        }
    }
}
