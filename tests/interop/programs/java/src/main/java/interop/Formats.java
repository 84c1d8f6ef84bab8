// Formats by hand, where a method has bytes under one of them.
package interop;

import io.github.librpcx.Codec;
import io.github.librpcx.Delivery;
import io.github.librpcx.RpcException;
import io.github.librpcx.SerializeType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;

/** Encodes and decodes beside the library's own way. */
final class Formats {
    private Formats() {}

    static Object decode(SerializeType format, byte[] payload, Type type) {
        try {
            return Codec.standard(format).decode(ByteBuffer.wrap(payload), type);
        } catch (RpcException e) {
            throw e;
        } catch (Exception e) {
            throw RpcException.of("codec.decode", e.getMessage(), Delivery.ANSWERED, e);
        }
    }

    static byte[] encode(SerializeType format, Object value) {
        try {
            return Codec.standard(format).encode(value);
        } catch (RpcException e) {
            throw e;
        } catch (Exception e) {
            throw RpcException.of("codec.encode", e.getMessage(), Delivery.NOT_SENT, e);
        }
    }
}
