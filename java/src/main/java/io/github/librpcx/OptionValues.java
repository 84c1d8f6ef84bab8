// Options as text, in the order given.
package io.github.librpcx;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** Options by name: the native side knows the names and refuses others with kind {@code config}. */
final class OptionValues {
    private final Map<String, String> values = new LinkedHashMap<>();

    void set(String name, String value) {
        values.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, name));
    }

    void set(String name, Duration value) {
        set(name, text(value));
    }

    Map<String, String> all() {
        return values;
    }

    /** The serialize type among them, or what is usual. */
    SerializeType serializeType() {
        String name = values.get("serialize_type");
        return name == null ? SerializeType.MSGPACK : serializeType(name);
    }

    /** A serialize type by its name; a wrong one is refused by the native side, by name. */
    static SerializeType serializeType(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "raw" -> SerializeType.RAW;
            case "json" -> SerializeType.JSON;
            case "protobuf" -> SerializeType.PROTOBUF;
            case "msgpack" -> SerializeType.MSGPACK;
            case "thrift" -> SerializeType.THRIFT;
            default -> name.matches("\\d{1,2}") && Integer.parseInt(name) < 16
                    ? new SerializeType(Integer.parseInt(name))
                    : SerializeType.MSGPACK;
        };
    }

    /** A time as the tables of options have it. */
    static String text(Duration time) {
        long nanos;
        try {
            nanos = time.toNanos();
        } catch (ArithmeticException e) {
            throw RpcException.of("config.bad_value", "a time of " + time + " is too long", Delivery.NOT_SENT, e);
        }
        if (nanos < 0) {
            throw RpcException.of("config.bad_value", "a time of " + time + " is negative", Delivery.NOT_SENT, null);
        }
        return nanos + "ns";
    }
}
