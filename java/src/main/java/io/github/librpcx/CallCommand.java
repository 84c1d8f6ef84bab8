// A call as a command.
package io.github.librpcx;

import io.github.librpcx.internal.Command;
import io.github.librpcx.internal.Records;
import java.nio.ByteBuffer;

/** Starts a call: its head, what its options add, what it inherits, the payload. */
final class CallCommand implements Command {
    private static final int HAS_OPTIONS = 1;
    private static final int HAS_PARENT = 2;

    private final int kind;
    private final int serialize;
    private final int method;
    private final long timeoutNanos;
    private final byte[] options;
    private final byte[] lineage;
    private final Payload payload;
    private final int size;

    long ticket;

    CallCommand(int kind, int serialize, int method, CallOptions options, byte[] lineage, Payload payload) {
        this.kind = kind;
        this.serialize = serialize;
        this.method = method;
        this.timeoutNanos = options.timeoutNanos();
        this.options = options.encoded();
        this.lineage = lineage;
        this.payload = payload;
        long all = (long) Records.CALL_HEAD + this.options.length + (lineage == null ? 0 : lineage.length) + payload.size();
        if (all > Integer.MAX_VALUE - Records.CALL_HEAD) {
            throw RpcException.of("limit.max_message_size", "a payload of " + payload.size() + " bytes", Delivery.NOT_SENT, null);
        }
        this.size = (int) all;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void write(ByteBuffer out) {
        int extras = options.length + (lineage == null ? 0 : lineage.length);
        int flags = (options.length == 0 ? 0 : HAS_OPTIONS) | (lineage == null ? 0 : HAS_PARENT);
        out.putInt(size).put((byte) Records.CALL).put((byte) kind).put((byte) serialize).put((byte) flags);
        out.putLong(ticket).putInt(method).putInt(extras).putLong(timeoutNanos);
        if (extras > 0) {
            out.put(options);
            if (lineage != null) {
                out.put(lineage);
            }
        }
        payload.write(out);
    }
}
