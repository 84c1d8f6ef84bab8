// A queue of events with the thread that hands them on.
package io.github.librpcx.internal;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The way to and from the native side: commands there, events back. A daemon thread, the poller, waits in one native method,
 * hands a batch of events to the {@link Sink}, and gives back with the next crossing all commands that came of them. No thread of
 * the library ever enters the JVM.
 *
 * <p>The native half lives until neither the poller nor anybody else has this object, so that a late command finds it.
 */
public final class Channel {
    private static final Cleaner CLEANER = Cleaner.create();

    private static final int EVENTS = 256 * 1024;
    private static final int COMMANDS = 64 * 1024;
    private static final int LARGE_BODIES = 16;
    /** How long a command may wait for the end of the batch that it came of. */
    private static final long PATIENCE_NANOS = 50_000;

    private static final System.Logger LOG = System.getLogger("rpcx");

    private final long address;
    private final Sink sink;
    private final Thread poller;
    private final AtomicBoolean ended = new AtomicBoolean();

    // The poller's alone.
    private final byte[] commands = new byte[COMMANDS];
    private final ByteBuffer pending = Records.over(commands, 0, COMMANDS);
    private long pendingSince;

    /** Where events go, always on the poller. What it throws is logged. */
    public interface Sink {
        /** An event; the body is valid until this returns. */
        void event(int type, int flags, long id, ByteBuffer body);

        /** The last word: no event comes any more. */
        void ended();
    }

    /** A channel whose poller begins with {@link #start}. */
    public Channel(String name, Sink sink) {
        this.sink = sink;
        this.address = Natives.openChannel();
        long owned = address;
        CLEANER.register(this, () -> Natives.freeChannel(owned));
        this.poller = new Thread(this::run, name);
        poller.setDaemon(true);
    }

    /** Lets the poller begin. */
    public void start() {
        poller.start();
    }

    /** The native half, for {@link Natives}; keep this object reachable meanwhile. */
    public long address() {
        return address;
    }

    /** Whether this thread is the poller, which must never wait for an event. */
    public boolean isPoller() {
        return Thread.currentThread() == poller;
    }

    /** Carries out a command: at once, or on the poller with all others that come of the same batch of events. */
    public void send(Command command) {
        int size = command.size();
        if (isPoller() && size <= COMMANDS) {
            if (pending.remaining() < size) {
                flush();
            }
            int from = pending.position();
            try {
                command.write(pending);
            } catch (RuntimeException | Error e) {
                pending.position(from);
                throw e;
            }
            return;
        }
        byte[] bytes = new byte[size];
        command.write(Records.over(bytes, 0, size));
        submit(bytes, size);
    }

    /** Carries out commands that were written one after the other. */
    public void submit(byte[] bytes, int used) {
        if (isPoller()) {
            flush();
        }
        try {
            Natives.submit(address, bytes, used);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Ends the poller once it has handed out what there is. */
    public void end() {
        if (ended.compareAndSet(false, true)) {
            try {
                Natives.endChannel(address);
            } finally {
                Reference.reachabilityFence(this);
            }
        }
    }

    private void flush() {
        if (pending.position() > 0) {
            int used = pending.position();
            pending.position(0);
            pendingSince = 0;
            Natives.submit(address, commands, used);
        }
    }

    /** Sends what waits too long because an event takes its time. */
    private void flushOld() {
        if (pending.position() == 0) {
            return;
        }
        long now = System.nanoTime();
        if (pendingSince == 0) {
            pendingSince = now;
        } else if (now - pendingSince > PATIENCE_NANOS) {
            flush();
        }
    }

    private void run() {
        byte[] events = new byte[EVENTS];
        byte[][] large = new byte[LARGE_BODIES][];
        try {
            while (true) {
                int used = pending.position();
                pending.position(0);
                pendingSince = 0;
                int written = Natives.poll(address, commands, used, events, large);
                if (written < 0) {
                    return;
                }
                deliver(events, written, large);
            }
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, "a poller of rpcx has ended", e);
        } finally {
            sink.ended();
            Reference.reachabilityFence(this);
        }
    }

    private void deliver(byte[] events, int written, byte[][] large) {
        ByteBuffer all = Records.over(events, 0, written);
        int next = 0;
        while (next < written) {
            int from = next;
            next += all.getInt(from);
            int type = all.get(from + 4);
            int flags = all.get(from + 5);
            int index = all.getShort(from + 6);
            long id = all.getLong(from + 8);
            ByteBuffer body;
            if ((flags & Records.LARGE) != 0) {
                body = Records.over(large[index], 0, large[index].length);
                large[index] = null;
            } else {
                body = all;
                body.limit(next).position(from + Records.EVENT_HEAD);
            }
            hand(type, flags, id, body);
            all.limit(written);
            flushOld();
        }
    }

    /** User code runs in here: whatever it throws must not end the poller. */
    private void hand(int type, int flags, long id, ByteBuffer body) {
        try {
            sink.event(type, flags, id, body);
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, "a callback of rpcx failed", e);
        }
    }
}
