// Pushes to be pulled.
package io.github.librpcx;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The messages that a client's servers push, in the order in which they came. Waits for the next one, until the client is closed
 * or this is. Several threads may read: each message goes to one of them. What nobody reads is kept up to the option
 * {@code push_queue}, then dropped.
 */
public final class Pushes implements Iterable<Push>, AutoCloseable {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final ArrayDeque<Push> waiting = new ArrayDeque<>();
    private final Client client;
    private final int most;
    private boolean ended;

    Pushes(Client client, int most) {
        this.client = client;
        this.most = most;
    }

    void put(Push push) {
        lock.lock();
        try {
            if (!ended && waiting.size() < most) {
                waiting.add(push);
                arrived.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    void end() {
        lock.lock();
        try {
            ended = true;
            arrived.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits for the next message.
     *
     * @param timeout at most so long
     * @return the message, or null when none came in time or none will come any more
     * @throws InterruptedException when the thread was interrupted
     */
    public Push poll(Duration timeout) throws InterruptedException {
        long left = timeout.toNanos();
        lock.lockInterruptibly();
        try {
            while (waiting.isEmpty() && !ended && left > 0) {
                left = arrived.awaitNanos(left);
            }
            return waiting.poll();
        } finally {
            lock.unlock();
        }
    }

    /** Iterates until the client is closed or this is; {@code hasNext} waits, and ends when the thread is interrupted. */
    @Override
    public Iterator<Push> iterator() {
        return new Iterator<>() {
            private Push next;

            @Override
            public boolean hasNext() {
                while (next == null) {
                    try {
                        next = poll(Duration.ofNanos(TimeUnit.DAYS.toNanos(1)));
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                        return false;
                    }
                    if (next == null && over()) {
                        return false;
                    }
                }
                return true;
            }

            @Override
            public Push next() {
                if (!hasNext()) {
                    throw new NoSuchElementException("no further push");
                }
                Push push = next;
                next = null;
                return push;
            }
        };
    }

    private boolean over() {
        lock.lock();
        try {
            return ended && waiting.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Ends it; messages that come later go to other listeners of the client, or nowhere. */
    @Override
    public void close() {
        client.forget(this);
        end();
    }
}
