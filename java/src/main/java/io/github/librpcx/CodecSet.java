// The codecs of a client or server.
package io.github.librpcx;

import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;

/** Which codec a value is for: a message says so by its class, else the serialize type decides. Bytes are the payload itself. */
final class CodecSet {
    private static final boolean PROTOBUF = present("com.google.protobuf.MessageLite");
    private static final boolean THRIFT = present("org.apache.thrift.TSerializable");
    private static final JacksonCodec JSON = JacksonCodec.json();
    private static final JacksonCodec MSGPACK = JacksonCodec.msgpack();
    private static final int TYPES = 16;

    private final Codec[] codecs = new Codec[TYPES];

    CodecSet(Map<SerializeType, Codec> own) {
        codecs[SerializeType.JSON.number()] = JSON;
        codecs[SerializeType.MSGPACK.number()] = MSGPACK;
        if (PROTOBUF) {
            codecs[SerializeType.PROTOBUF.number()] = new ProtobufCodec();
        }
        if (THRIFT) {
            codecs[SerializeType.THRIFT.number()] = new ThriftCodec();
        }
        own.forEach((type, codec) -> codecs[type.number()] = codec);
    }

    private static boolean present(String name) {
        try {
            Class.forName(name, false, CodecSet.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    /** How a call with this argument and reply is encoded, unless the call says it. */
    SerializeType typeOf(Object argument, Type reply, SerializeType usual) {
        Class<?> type = argument == null ? (reply instanceof Class<?> c ? c : null) : argument.getClass();
        if (type == null || type.isRecord()) {
            return usual;
        }
        if (PROTOBUF && ProtobufCodec.takes(type)) {
            return SerializeType.PROTOBUF;
        }
        if (THRIFT && ThriftCodec.takes(type)) {
            return SerializeType.THRIFT;
        }
        return type == byte[].class ? SerializeType.RAW : usual;
    }

    /** Encodes a value, or fails with kind codec. */
    Payload encode(SerializeType type, Object value) {
        if (value instanceof byte[] bytes) {
            return Payload.of(bytes);
        }
        if (PROTOBUF && type.number() == SerializeType.PROTOBUF.number() && value != null
                && codecs[type.number()] instanceof ProtobufCodec && ProtobufCodec.takes(value.getClass())) {
            return ProtobufCodec.payload(value);
        }
        if (type.number() == SerializeType.RAW.number() && codecs[0] == null) {
            if (value == null) {
                return Payload.of(new byte[0]);
            }
            throw RpcException.of("codec.encode",
                    "raw payloads are byte[], not " + value.getClass().getName(), Delivery.NOT_SENT, null);
        }
        try {
            return Payload.of(codec(type).encode(value));
        } catch (RpcException e) {
            throw e;
        } catch (Exception | StackOverflowError e) {
            throw RpcException.of("codec.encode", "cannot encode as " + type + ": " + words(e), Delivery.NOT_SENT, e);
        }
    }

    /** Decodes a payload, or fails with kind codec. Nothing is what is made of any payload for no type. */
    Object decode(SerializeType type, ByteBuffer payload, Type into) {
        if (into == byte[].class) {
            int from = payload.arrayOffset() + payload.position();
            return Arrays.copyOfRange(payload.array(), from, from + payload.remaining());
        }
        if (into == Void.class || into == void.class) {
            return null;
        }
        if (type.number() == SerializeType.RAW.number() && codecs[0] == null) {
            throw RpcException.of("codec.decode",
                    "raw payloads are byte[], not " + into.getTypeName(), Delivery.ANSWERED, null);
        }
        try {
            return codec(type).decode(payload, into);
        } catch (RpcException e) {
            throw e;
        } catch (Exception | StackOverflowError e) {
            throw RpcException.of("codec.decode",
                    "cannot decode as " + type + " into " + into.getTypeName() + ": " + words(e), Delivery.ANSWERED, e);
        }
    }

    /** The codec without those of users. */
    static Codec standard(SerializeType type) {
        return new CodecSet(Map.of()).codec(type);
    }

    private Codec codec(SerializeType type) {
        Codec codec = codecs[type.number()];
        if (codec == null) {
            String hint = type.equals(SerializeType.PROTOBUF)
                    ? ": protobuf-java is not on the class path"
                    : type.equals(SerializeType.THRIFT) ? ": libthrift is not on the class path" : "";
            throw RpcException.of("codec.unsupported", "no codec for " + type + hint, Delivery.NOT_SENT, null);
        }
        return codec;
    }

    /** The first line of a text: Jackson appends where in the source it was. */
    private static String words(Throwable e) {
        String message = e.getMessage();
        if (message == null) {
            return e.getClass().getSimpleName();
        }
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }
}
