// Values in the driver's own lines.
package interop;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdScalarSerializer;
import io.github.librpcx.Delivery;
import io.github.librpcx.RpcException;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Values of a line: bytes in hexadecimal, integers that a float does not hold exactly as decimal text, moments in RFC 3339. What is
 * read must fit its type; null is an empty text, list, map or object.
 */
final class Lines {
    private static final BigInteger EXACT = BigInteger.ONE.shiftLeft(53);
    private static final ObjectMapper MAPPER = new ObjectMapper()
            .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .registerModule(new SimpleModule()
                    .addSerializer(byte[].class, new Shown<>(byte[].class))
                    .addSerializer(Long.class, new Shown<>(Long.class))
                    .addSerializer(long.class, new Shown<>(Long.class))
                    .addSerializer(BigInteger.class, new Shown<>(BigInteger.class))
                    .addSerializer(Instant.class, new Shown<>(Instant.class)));

    private Lines() {}

    /** A value as the text of a line. */
    static String text(Object value) {
        try {
            return MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A line as a value; null when it is none. */
    static JsonNode parse(String line) {
        try {
            return MAPPER.readTree(line);
        } catch (JsonProcessingException e) {
            return null;
        }
    }

    private static final class Shown<T> extends StdScalarSerializer<T> {
        private static final long serialVersionUID = 1L;

        Shown(Class<T> type) {
            super(type);
        }

        @Override
        public void serialize(T value, JsonGenerator out, SerializerProvider provider) throws IOException {
            if (value instanceof byte[] bytes) {
                out.writeString(HexFormat.of().formatHex(bytes));
            } else if (value instanceof Instant) {
                out.writeString(value.toString());
            } else {
                BigInteger number = new BigInteger(value.toString());
                if (number.abs().compareTo(EXACT) > 0) {
                    out.writeString(number.toString());
                } else {
                    out.writeNumber(number.longValue());
                }
            }
        }
    }

    /** A mistake of a command. */
    static RpcException misuse(String text) {
        return RpcException.of("config.bad_argument", text, Delivery.NOT_SENT, null);
    }

    /** Bytes of hexadecimal text. */
    static byte[] hex(String text) {
        try {
            return HexFormat.of().parseHex(text);
        } catch (IllegalArgumentException e) {
            throw misuse("hex: \"" + text + "\" is no hexadecimal text");
        }
    }

    /** The natural value of a node, for methods of which no type is known. */
    static Object natural(JsonNode node) {
        if (node.isObject()) {
            Map<String, Object> map = new LinkedHashMap<>();
            node.fields().forEachRemaining(field -> map.put(field.getKey(), natural(field.getValue())));
            return map;
        }
        if (node.isArray()) {
            List<Object> list = new ArrayList<>();
            node.forEach(item -> list.add(natural(item)));
            return list;
        }
        if (node.isIntegralNumber()) {
            return node.canConvertToLong() ? (Object) node.longValue() : node.bigIntegerValue();
        }
        return node.isNumber() ? (Object) node.doubleValue() : node.isTextual() ? node.textValue()
                : node.isBoolean() ? (Object) node.booleanValue() : null;
    }

    /** A typed value. */
    static Object typed(JsonNode node, Type type) {
        return read(node, type, 0, "args");
    }

    private static Object read(JsonNode node, Type type, int unsigned, String where) {
        if (type instanceof ParameterizedType generic) {
            Type[] inner = generic.getActualTypeArguments();
            return generic.getRawType() == List.class ? list(node, inner[0], where) : map(node, inner[1], where);
        }
        if (type == boolean.class) {
            check(node.isBoolean(), node, where, "true or false");
            return node.booleanValue();
        }
        if (type == String.class) {
            check(node.isTextual() || node.isNull(), node, where, "text");
            return node.isNull() ? "" : node.textValue();
        }
        if (type == byte[].class) {
            check(node.isTextual() || node.isNull(), node, where, "hexadecimal text");
            return node.isNull() ? new byte[0] : hex(node.textValue());
        }
        if (type == Instant.class) {
            return moment(node, where);
        }
        if (type == float.class || type == double.class) {
            check(node.isNumber(), node, where, "number");
            return fraction(node, type, where);
        }
        Class<?> known = (Class<?>) type;
        if (known.isPrimitive() || Number.class.isAssignableFrom(known)) {
            return integer(node, known, unsigned, where);
        }
        return object(node, known, where);
    }

    private static void check(boolean fits, JsonNode node, String where, String expected) {
        if (!fits) {
            throw misuse(where + ": " + node + " is no " + expected);
        }
    }

    private static Object list(JsonNode node, Type inner, String where) {
        check(node.isArray() || node.isNull(), node, where, "list");
        List<Object> list = new ArrayList<>();
        node.forEach(item -> list.add(read(item, inner, 0, where)));
        return list;
    }

    private static Object map(JsonNode node, Type inner, String where) {
        check(node.isObject() || node.isNull(), node, where, "object");
        Map<String, Object> map = new LinkedHashMap<>();
        node.fields().forEachRemaining(field -> map.put(field.getKey(), read(field.getValue(), inner, 0, where)));
        return map;
    }

    private static Object moment(JsonNode node, String where) {
        check(node.isTextual(), node, where, "moment");
        try {
            return DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(node.textValue(), Instant::from);
        } catch (DateTimeException e) {
            throw misuse(where + ": " + node + " is no moment");
        }
    }

    private static Object fraction(JsonNode node, Type type, String where) {
        BigDecimal number = node.decimalValue();
        double value = type == float.class ? number.floatValue() : number.doubleValue();
        check(Double.isFinite(value), node, where, "number of this precision");
        return type == float.class ? (Object) number.floatValue() : value;
    }

    private static Object integer(JsonNode node, Class<?> type, int unsigned, String where) {
        BigInteger number;
        if (node.isIntegralNumber()) {
            number = node.bigIntegerValue();
        } else {
            check(node.isTextual() && node.textValue().matches("-?\\d{1,20}"), node, where, "integer");
            number = new BigInteger(node.textValue());
        }
        int bits = unsigned > 0 ? unsigned : type == byte.class ? 8 : type == short.class ? 16 : type == int.class ? 32 : 64;
        boolean fits = unsigned > 0
                ? number.signum() >= 0 && number.bitLength() <= bits
                : number.bitLength() < bits;
        check(fits, node, where, "integer of " + bits + " bits");
        if (type == BigInteger.class) {
            return number;
        }
        return type == byte.class ? (Object) number.byteValue() : type == short.class ? (Object) number.shortValue()
                : type == int.class ? (Object) number.intValue() : number.longValue();
    }

    private static Object object(JsonNode node, Class<?> type, String where) {
        check(node.isObject() || node.isNull(), node, where, "object");
        try {
            Object object = type.getDeclaredConstructor().newInstance();
            Map<String, Field> fields = new LinkedHashMap<>();
            Arrays.stream(type.getFields())
                    .filter(field -> !Modifier.isStatic(field.getModifiers()))
                    .forEach(field -> fields.put(field.getName(), field));
            var given = node.fields();
            while (given.hasNext()) {
                var one = given.next();
                Field field = fields.get(one.getKey());
                if (field == null) {
                    throw misuse(where + ": unknown field \"" + one.getKey() + "\", expected " + fields.keySet());
                }
                set(object, field, one.getValue());
            }
            return object;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void set(Object object, Field field, JsonNode value) throws IllegalAccessException {
        Messages.Unsigned unsigned = field.getAnnotation(Messages.Unsigned.class);
        boolean pointer = !field.getType().isPrimitive() && field.get(object) == null;
        if (value.isNull() && (pointer || field.getType().isPrimitive())) {
            check(pointer, value, field.getName(), field.getType().getSimpleName());
            return;
        }
        field.set(object, read(value, field.getGenericType(), unsigned == null ? 0 : unsigned.value(), field.getName()));
    }
}
