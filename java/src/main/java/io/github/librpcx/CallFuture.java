// The future of one call.
package io.github.librpcx;

import io.github.librpcx.internal.Channel;
import io.github.librpcx.internal.Command;
import io.github.librpcx.internal.Records;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/** A call under way. Completed on the poller, or on the client's executor. Ended by anybody else it gives the call up. */
final class CallFuture<T> extends CompletableFuture<T> implements Tickets.Waiting {
    private final Channel channel;
    private final Reading<T> reading;
    private final Executor executor;
    /** Keeps the client open. */
    private final Object owner;

    private long ticket = Tickets.NONE;

    /** Makes the result of an event. */
    interface Reading<T> {
        T read(int type, ByteBuffer body);
    }

    CallFuture(Channel channel, Reading<T> reading, Executor executor, Object owner) {
        this.channel = channel;
        this.reading = reading;
        this.executor = executor;
        this.owner = owner;
    }

    /** Before the call is handed over. */
    void ticket(long given) {
        ticket = given;
    }

    @Override
    public void told(int type, int flags, ByteBuffer body) {
        if (executor == null) {
            end(type, flags, body);
            return;
        }
        byte[] copy = Records.rest(body);
        try {
            executor.execute(() -> end(type, flags, Records.over(copy, 0, copy.length)));
        } catch (RuntimeException e) {
            super.completeExceptionally(
                    RpcException.of("overload.queue", "the client's executor refused: " + e, Delivery.MAYBE_RUN, e));
        }
    }

    private void end(int type, int flags, ByteBuffer body) {
        try {
            if ((flags & Records.FAILED) != 0) {
                super.completeExceptionally(Failures.read(body));
            } else {
                super.complete(reading.read(type, body));
            }
        } catch (RuntimeException | StackOverflowError e) {
            super.completeExceptionally(e);
        }
    }

    @Override
    public void lost(RpcException why) {
        super.completeExceptionally(why);
    }

    @Override
    public boolean cancel(boolean interrupt) {
        return super.cancel(interrupt) && giveUp();
    }

    @Override
    public boolean complete(T value) {
        return super.complete(value) && giveUp();
    }

    /** As {@code orTimeout} does. */
    @Override
    public boolean completeExceptionally(Throwable error) {
        return super.completeExceptionally(error) && giveUp();
    }

    private boolean giveUp() {
        if (ticket != Tickets.NONE) {
            try {
                channel.send(new Cancel(ticket));
            } finally {
                Reference.reachabilityFence(owner);
            }
        }
        return true;
    }

    /** What comes of it is no call. */
    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new CompletableFuture<>();
    }

    private record Cancel(long ticket) implements Command {
        private static final int SIZE = 16;

        @Override
        public int size() {
            return SIZE;
        }

        @Override
        public void write(ByteBuffer out) {
            out.putInt(SIZE).putInt(Records.CANCEL).putLong(ticket);
        }
    }
}
