// How payloads are compressed.
package io.github.librpcx;

import java.util.Locale;

/** How payloads above {@code compress_min_size} are compressed. */
public enum CompressType {
    /** Not at all. */
    NONE,
    /** Gzip. */
    GZIP,
    /** Snappy, framed. */
    SNAPPY,
    /** Zstandard. */
    ZSTD,
    /** LZ4 frames. */
    LZ4;

    private final String text = name().toLowerCase(Locale.ROOT);

    /** The name in the tables of options. */
    @Override
    public String toString() {
        return text;
    }
}
