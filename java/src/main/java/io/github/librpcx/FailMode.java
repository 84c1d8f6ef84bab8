// What happens when an attempt fails.
package io.github.librpcx;

import java.util.Locale;

/** What to do when an attempt of a call fails. */
public enum FailMode {
    /** Try another server. */
    FAILOVER,
    /** Fail at once. */
    FAILFAST,
    /** Try the same server again. */
    FAILTRY,
    /** Ask a second server when the first is slow, and take the first good answer. */
    FAILBACKUP;

    private final String text = name().toLowerCase(Locale.ROOT);

    /** The name in the tables of options. */
    @Override
    public String toString() {
        return text;
    }
}
