// The fields of a command.
package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Fields, taken one by one; what is left over is refused by name. */
final class Fields {
    private static final Pattern TIME = Pattern.compile("(\\d+(?:\\.\\d+)?)(ns|us|ms|s|m|h|d)?");
    private static final Map<String, Double> NANOS =
            Map.of("ns", 1.0, "us", 1e3, "ms", 1e6, "s", 1e9, "m", 6e10, "h", 3.6e12, "d", 8.64e13);

    private final ObjectNode rest;

    Fields(ObjectNode fields) {
        rest = fields;
    }

    /** Any value, or null when there is none. */
    JsonNode take(String name) {
        return rest.remove(name);
    }

    String text(String name) {
        String text = optional(name);
        if (text == null) {
            throw Lines.misuse(name + " is missing");
        }
        return text;
    }

    String optional(String name) {
        JsonNode node = take(name);
        if (node == null || node.isNull()) {
            return null;
        }
        if (!node.isTextual()) {
            throw Lines.misuse(name + ": " + node + " is no text");
        }
        return node.textValue();
    }

    int count(String name, int usual) {
        JsonNode node = take(name);
        if (node == null) {
            return usual;
        }
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < 0) {
            throw Lines.misuse(name + ": " + node + " is no whole number from 0");
        }
        return node.intValue();
    }

    boolean flag(String name, boolean usual) {
        JsonNode node = take(name);
        if (node == null) {
            return usual;
        }
        if (!node.isBoolean()) {
            throw Lines.misuse(name + ": " + node + " is neither true nor false");
        }
        return node.booleanValue();
    }

    /** A time as options have it; null without one. */
    Duration time(String name) {
        JsonNode node = take(name);
        if (node == null) {
            return null;
        }
        Matcher matcher = TIME.matcher(node.asText());
        if (!matcher.matches()) {
            throw Lines.misuse(name + ": " + node + " is no time in milliseconds");
        }
        String unit = matcher.group(2) == null ? "ms" : matcher.group(2);
        return Duration.ofNanos((long) (Double.parseDouble(matcher.group(1)) * NANOS.get(unit)));
    }

    /** An object; nothing and null are an empty one. */
    Map<String, JsonNode> object(String name) {
        JsonNode node = take(name);
        Map<String, JsonNode> fields = new LinkedHashMap<>();
        if (node != null && !node.isNull()) {
            if (!node.isObject()) {
                throw Lines.misuse(name + ": " + node + " is no object");
            }
            node.fields().forEachRemaining(field -> fields.put(field.getKey(), field.getValue()));
        }
        return fields;
    }

    void done() {
        if (rest.fieldNames().hasNext()) {
            throw Lines.misuse("unknown field \"" + rest.fieldNames().next() + "\"");
        }
    }

    /** The text of an option's value. */
    static String option(String name, JsonNode value) {
        if (value.isArray()) {
            StringBuilder list = new StringBuilder();
            value.forEach(item -> list.append(list.isEmpty() ? "" : ",").append(option(name, item)));
            return list.toString();
        }
        if (value.isObject()) {
            throw Lines.misuse("option " + name + ": " + value + " is an object");
        }
        return value.isNull() ? "" : value.asText();
    }
}
