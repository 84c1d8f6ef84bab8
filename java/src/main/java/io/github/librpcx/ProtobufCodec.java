// Protocol Buffers.
package io.github.librpcx;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.io.IOException;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;

/** The messages of protobuf-java. Only loaded where that is on the class path. */
final class ProtobufCodec implements Codec {
    private static final ClassValue<Parser<?>> PARSERS = new ClassValue<>() {
        @Override
        protected Parser<?> computeValue(Class<?> type) {
            try {
                MessageLite message = (MessageLite) type.getMethod("getDefaultInstance").invoke(null);
                return message.getParserForType();
            } catch (ReflectiveOperationException | ClassCastException e) {
                throw new IllegalArgumentException(type.getName() + " is no message of Protocol Buffers", e);
            }
        }
    };

    @Override
    public byte[] encode(Object value) throws Exception {
        if (value == null) {
            return new byte[0];
        }
        return message(value).toByteArray();
    }

    private static MessageLite message(Object value) {
        if (value instanceof MessageLite message) {
            return message;
        }
        throw new IllegalArgumentException(value.getClass().getName() + " is no message of Protocol Buffers");
    }

    @Override
    public Object decode(ByteBuffer payload, Type type) throws Exception {
        if (type == Void.class || type == void.class) {
            return null;
        }
        if (!(type instanceof Class<?> message)) {
            throw new IllegalArgumentException(type.getTypeName() + " is no message of Protocol Buffers");
        }
        int from = payload.arrayOffset() + payload.position();
        return PARSERS.get(message).parseFrom(payload.array(), from, payload.remaining());
    }

    /** Whether this is a message, or a class of messages. */
    static boolean takes(Class<?> type) {
        return MessageLite.class.isAssignableFrom(type);
    }

    /** A message that is encoded straight into a command. */
    static Payload payload(Object value) {
        MessageLite message = (MessageLite) value;
        int size = message.getSerializedSize();
        return new Payload() {
            @Override
            int size() {
                return size;
            }

            @Override
            void write(ByteBuffer out) {
                int from = out.position();
                CodedOutputStream coded = CodedOutputStream.newInstance(out.array(), out.arrayOffset() + from, size);
                try {
                    message.writeTo(coded);
                } catch (IOException e) {
                    throw new IllegalStateException("the message changed while it was encoded", e);
                }
                out.position(from + size);
            }
        };
    }
}
