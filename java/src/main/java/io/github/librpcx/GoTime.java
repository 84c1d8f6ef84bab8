// Moments as Go writes them.
package io.github.librpcx;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdScalarDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdScalarSerializer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import org.msgpack.jackson.dataformat.MessagePackExtensionType;
import org.msgpack.jackson.dataformat.MessagePackGenerator;

/** {@link Instant} as a timestamp of MessagePack (extension −1 in 4, 8 or 12 bytes) and as RFC 3339 in JSON. */
final class GoTime {
    /** The number of the timestamp among MessagePack's extensions. */
    static final byte EXTENSION = -1;

    /** What Go's zero time is. */
    private static final Instant ZERO = Instant.parse("0001-01-01T00:00:00Z");

    private static final int NANOS_SHIFT = 34;
    private static final long SECONDS_MASK = (1L << NANOS_SHIFT) - 1;
    private static final int MOST_NANOS = 999_999_999;

    private GoTime() {}

    /** Reads the body of a timestamp. */
    static Instant read(byte[] body) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(body);
        try {
            return switch (body.length) {
                case 4 -> Instant.ofEpochSecond(Integer.toUnsignedLong(in.getInt()));
                case 8 -> {
                    long both = in.getLong();
                    yield moment(both & SECONDS_MASK, both >>> NANOS_SHIFT);
                }
                case 12 -> {
                    long nanos = Integer.toUnsignedLong(in.getInt());
                    yield moment(in.getLong(), nanos);
                }
                default -> throw new IOException("a timestamp of " + body.length + " bytes");
            };
        } catch (DateTimeException e) {
            throw new IOException("a timestamp out of range", e);
        }
    }

    private static Instant moment(long seconds, long nanos) throws IOException {
        if (nanos > MOST_NANOS) {
            throw new IOException("a timestamp with " + nanos + " ns");
        }
        return Instant.ofEpochSecond(seconds, nanos);
    }

    /** The body of a timestamp, as short as possible. */
    static byte[] write(Instant time) {
        long seconds = time.getEpochSecond();
        int nanos = time.getNano();
        if (seconds < 0 || seconds > SECONDS_MASK) {
            return ByteBuffer.allocate(12).putInt(nanos).putLong(seconds).array();
        }
        if (nanos == 0 && seconds <= 0xffff_ffffL) {
            return ByteBuffer.allocate(4).putInt((int) seconds).array();
        }
        return ByteBuffer.allocate(8).putLong((long) nanos << NANOS_SHIFT | seconds).array();
    }

    /** Lets a mapper read and write {@link Instant}. */
    static final class Module extends SimpleModule {
        private static final long serialVersionUID = 1L;

        Module() {
            super("rpcx-time");
            addSerializer(Instant.class, new Serializer());
            addDeserializer(Instant.class, new Deserializer());
        }
    }

    private static final class Serializer extends StdScalarSerializer<Instant> {
        private static final long serialVersionUID = 1L;

        Serializer() {
            super(Instant.class);
        }

        @Override
        public void serialize(Instant time, JsonGenerator out, SerializerProvider provider) throws IOException {
            if (out instanceof MessagePackGenerator msgpack) {
                msgpack.writeExtensionType(new MessagePackExtensionType(EXTENSION, write(time)));
            } else {
                out.writeString(time.toString());
            }
        }
    }

    private static final class Deserializer extends StdScalarDeserializer<Instant> {
        private static final long serialVersionUID = 1L;

        Deserializer() {
            super(Instant.class);
        }

        @Override
        public Instant deserialize(JsonParser in, DeserializationContext context) throws IOException {
            if (in.currentToken() == JsonToken.VALUE_EMBEDDED_OBJECT) {
                Object value = in.getEmbeddedObject();
                if (value instanceof Instant time) {
                    return time;
                }
                return (Instant) context.handleUnexpectedToken(Instant.class, in);
            }
            if (in.currentToken() != JsonToken.VALUE_STRING) {
                return (Instant) context.handleUnexpectedToken(Instant.class, in);
            }
            try {
                return DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(in.getText(), Instant::from);
            } catch (DateTimeException e) {
                return (Instant) context.handleWeirdStringValue(Instant.class, in.getText(), "no moment of RFC 3339");
            }
        }

        @Override
        public Instant getNullValue(DeserializationContext context) {
            return ZERO;
        }
    }
}
