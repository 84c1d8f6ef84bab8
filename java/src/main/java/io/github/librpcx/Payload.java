// An encoded value on its way into a command.
package io.github.librpcx;

import java.nio.ByteBuffer;

/** The bytes of an argument or reply; what knows its size beforehand is encoded straight into the command. */
abstract class Payload {
    abstract int size();

    /** Writes exactly {@link #size} bytes; the buffer has an accessible array. */
    abstract void write(ByteBuffer out);

    static Payload of(byte[] bytes) {
        return new Payload() {
            @Override
            int size() {
                return bytes.length;
            }

            @Override
            void write(ByteBuffer out) {
                out.put(bytes);
            }
        };
    }
}
