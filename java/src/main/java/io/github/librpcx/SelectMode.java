// How the server of a call is selected.
package io.github.librpcx;

import java.util.Locale;

/** How the server of a call is selected. */
public enum SelectMode {
    /** Any. */
    RANDOM,
    /** One after the other. */
    ROUND_ROBIN,
    /** One after the other, as often as their weights say. */
    WEIGHTED_ROUND_ROBIN,
    /** The near ones more often, by measured round trips. */
    WEIGHTED_ICMP,
    /** By the hash of a key or of the call. */
    CONSISTENT_HASH,
    /** The nearest by latitude and longitude. */
    CLOSEST,
    /** The one with the fewest calls under way and the lowest latency. */
    LEAST_LOADED;

    private final String text = name().toLowerCase(Locale.ROOT);

    /** The name in the tables of options. */
    @Override
    public String toString() {
        return text;
    }
}
