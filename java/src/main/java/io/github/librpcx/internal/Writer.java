// Writes what crosses the boundary rarely: configurations, pushes.
package io.github.librpcx.internal;

import java.io.ByteArrayOutputStream;
import java.util.Collection;

/** Numbers and texts one after the other, in the form of {@link Records}. */
public final class Writer {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** Adds a number of four bytes. */
    public Writer number(int number) {
        for (int shift = 0; shift < 32; shift += 8) {
            out.write(number >>> shift);
        }
        return this;
    }

    /** Adds a text, or the lack of one. */
    public Writer text(String text) {
        byte[] bytes = Records.utf8(text);
        return bytes == null ? number(-1) : block(bytes);
    }

    /** Adds bytes after their length. */
    public Writer block(byte[] bytes) {
        number(bytes.length);
        return raw(bytes);
    }

    /** Adds bytes as they are. */
    public Writer raw(byte[] bytes) {
        out.write(bytes, 0, bytes.length);
        return this;
    }

    /** Adds texts after their number. */
    public Writer texts(Collection<String> texts) {
        number(texts.size());
        texts.forEach(this::text);
        return this;
    }

    /** What was written. */
    public byte[] bytes() {
        return out.toByteArray();
    }
}
