// Thrift's binary protocol.
package io.github.librpcx;

import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.thrift.TConfiguration;
import org.apache.thrift.TSerializable;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.transport.TMemoryBuffer;
import org.apache.thrift.transport.TMemoryInputTransport;

/** The structs of libthrift. Only loaded where that is on the class path. */
final class ThriftCodec implements Codec {
    private static final int FIRST_SIZE = 256;

    @Override
    public byte[] encode(Object value) throws Exception {
        if (!(value instanceof TSerializable struct)) {
            throw new IllegalArgumentException((value == null ? "null" : value.getClass().getName()) + " is no Thrift struct");
        }
        TMemoryBuffer memory = new TMemoryBuffer(FIRST_SIZE);
        struct.write(new TBinaryProtocol(memory));
        return Arrays.copyOf(memory.getArray(), memory.length());
    }

    @Override
    public Object decode(ByteBuffer payload, Type type) throws Exception {
        if (!(type instanceof Class<?> struct) || !takes(struct)) {
            throw new IllegalArgumentException(type.getTypeName() + " is no Thrift struct");
        }
        TSerializable value = (TSerializable) struct.getDeclaredConstructor().newInstance();
        int from = payload.arrayOffset() + payload.position();
        // A length in the payload is believed up to the bytes that are there.
        TConfiguration limits = TConfiguration.custom().setMaxMessageSize(Math.max(1, payload.remaining())).build();
        value.read(new TBinaryProtocol(
                new TMemoryInputTransport(limits, payload.array(), from, payload.remaining()), payload.remaining(), payload.remaining()));
        return value;
    }

    /** Whether this is a class of structs. */
    static boolean takes(Class<?> type) {
        return TSerializable.class.isAssignableFrom(type);
    }
}
