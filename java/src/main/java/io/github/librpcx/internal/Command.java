// What the Java side asks of the native side.
package io.github.librpcx.internal;

import java.nio.ByteBuffer;

/** A command as a record; see {@link Records}. */
public interface Command {
    /** Its size in bytes, of which the first four hold this number. */
    int size();

    /** Writes exactly so many bytes. */
    void write(ByteBuffer out);
}
