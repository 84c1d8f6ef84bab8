// The seam for formats of payloads.
package io.github.librpcx;

import java.lang.reflect.Type;
import java.nio.ByteBuffer;

/**
 * Encodes and decodes the payloads of one {@link SerializeType}. An implementation is used by many threads at once.
 *
 * <p>The library has codecs for JSON and MessagePack (Jackson: records, plain classes, maps), Protocol Buffers (protobuf-java's
 * messages) and Thrift (libthrift's structs). {@code byte[]} never meets a codec: it is the payload itself under every serialize
 * type.
 */
public interface Codec {
    /**
     * Encodes a value.
     *
     * @param value an argument or reply; null where there is none
     * @return the payload
     * @throws Exception for a value that this codec cannot encode; the call fails with kind {@link ErrorKind#CODEC}
     */
    byte[] encode(Object value) throws Exception;

    /**
     * Decodes a payload, which may come from anywhere: nothing in it may be believed.
     *
     * @param payload the bytes, in an accessible array, valid until this returns
     * @param type what to make of them
     * @return a value of that type
     * @throws Exception when the bytes are none; the call fails with kind {@link ErrorKind#CODEC}
     */
    Object decode(ByteBuffer payload, Type type) throws Exception;

    /**
     * The library's own codec for a serialize type: what a codec of one's own may hand other values to.
     *
     * @param type JSON, MessagePack, Protocol Buffers or Thrift
     * @return the codec
     * @throws RpcException of kind {@link ErrorKind#CODEC} when there is none, or its library is not on the class path
     */
    static Codec standard(SerializeType type) {
        return CodecSet.standard(type);
    }
}
