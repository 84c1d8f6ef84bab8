// What a native method throws.
package io.github.librpcx.internal;

/**
 * A failure of a native method. Its text holds reason, delivery, attempts, server and message, each on a line of its own but for
 * the message, which is the rest.
 */
public final class NativeFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the native side.
     *
     * @param text the parts of the failure
     */
    public NativeFailure(String text) {
        super(text, null, false, false);
    }
}
