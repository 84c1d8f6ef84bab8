// How payloads are encoded.
package io.github.librpcx;

/**
 * How arguments and replies are encoded, by the number that says so in a message.
 *
 * @param number 0 to 4 are rpcx's own; 5 to 15 are free for a {@link Codec} of one's own
 */
public record SerializeType(int number) {
    /** Bytes as they are. */
    public static final SerializeType RAW = new SerializeType(0);
    /** JSON, as Go's {@code encoding/json} writes it. */
    public static final SerializeType JSON = new SerializeType(1);
    /** Protocol Buffers. */
    public static final SerializeType PROTOBUF = new SerializeType(2);
    /** MessagePack, the default. */
    public static final SerializeType MSGPACK = new SerializeType(3);
    /** Thrift's binary protocol. */
    public static final SerializeType THRIFT = new SerializeType(4);

    /**
     * A serialize type by its number.
     *
     * @param number 0 to 15
     * @throws RpcException.Config for any other number
     */
    public SerializeType {
        if (number < 0 || number > 15) {
            throw RpcException.of(
                    "config.bad_value", "serialize type " + number + ": expected 0 to 15", Delivery.NOT_SENT, null);
        }
    }

    /** The name in the tables of options, such as {@code msgpack}; of the free ones the number. */
    @Override
    public String toString() {
        return switch (number) {
            case 0 -> "raw";
            case 1 -> "json";
            case 2 -> "protobuf";
            case 3 -> "msgpack";
            case 4 -> "thrift";
            default -> Integer.toString(number);
        };
    }
}
