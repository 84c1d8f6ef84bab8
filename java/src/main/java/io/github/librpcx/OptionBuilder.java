// What the builders of clients and servers have in common.
package io.github.librpcx;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Options and formats.
 *
 * @param <B> the builder itself
 */
abstract class OptionBuilder<B extends OptionBuilder<B>> {
    final OptionValues options = new OptionValues();
    final Map<SerializeType, Codec> codecs = new HashMap<>();

    /** This, as what it is. */
    abstract B self();

    /**
     * Any option by its name in {@code docs/CONFIGURATION.md}.
     *
     * @param name the name, such as {@code read_timeout} or {@code tls.ca}
     * @param value the value as text, such as {@code 10s}
     * @return this
     */
    public B option(String name, String value) {
        options.set(name, value);
        return self();
    }

    /**
     * An option that is a time.
     *
     * @param name the name
     * @param value the time
     * @return this
     */
    public B option(String name, Duration value) {
        options.set(name, value);
        return self();
    }

    /**
     * An option that is a number.
     *
     * @param name the name
     * @param value the number
     * @return this
     */
    public B option(String name, long value) {
        return option(name, Long.toString(value));
    }

    /**
     * An option that is on or off.
     *
     * @param name the name
     * @param value whether it is on
     * @return this
     */
    public B option(String name, boolean value) {
        return option(name, Boolean.toString(value));
    }

    /**
     * Adds a format, or replaces one.
     *
     * @param type the serialize type that it is for
     * @param codec the codec
     * @return this
     */
    public B codec(SerializeType type, Codec codec) {
        codecs.put(Objects.requireNonNull(type, "type"), Objects.requireNonNull(codec, "codec"));
        return self();
    }
}
