// What a retry may assume of a call that failed.
package io.github.librpcx;

import java.util.Locale;

/** What became of the request of a call that failed: what a retry may assume. */
public enum Delivery {
    /** The request did not leave, so that no handler ran. */
    NOT_SENT,
    /** The request may have left, and a handler may have run. */
    MAYBE_RUN,
    /** The server answered. */
    ANSWERED;

    private final String text = name().toLowerCase(Locale.ROOT);

    /** The name in all languages of the library, such as {@code maybe_run}. */
    @Override
    public String toString() {
        return text;
    }
}
