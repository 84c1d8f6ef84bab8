// Pushes to be pulled.
package io.github.librpcx;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The messages that a client's servers push, in the order in which they came. Waits for the next one, until the client is closed
 * or this is. Several threads may read: each message goes to one of them.
 *
 * <p>Bounded: a few dozen messages wait here at most, further ones in the client, as many as its option {@code push_queue}
 * says; {@code push_overflow} says what becomes of those beyond. Where a client has several of these each gets every message,
 * and the slowest one counts.
 */
public final class Pushes implements Iterable<Push>, AutoCloseable {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final ArrayDeque<Offer> waiting = new ArrayDeque<>();
    private final Client client;
    private boolean ended;

    Pushes(Client client) {
        this.client = client;
    }

    /** A message that several may take; who is the last to do so makes room for another one. */
    static final class Offer {
        private final Push push;
        private final Runnable taken;
        private final AtomicInteger takers;

        Offer(Push push, int takers, Runnable taken) {
            this.push = push;
            this.takers = new AtomicInteger(takers);
            this.taken = taken;
        }

        void take() {
            if (takers.decrementAndGet() == 0) {
                taken.run();
            }
        }
    }

    void put(Offer offer) {
        lock.lock();
        try {
            if (!ended) {
                waiting.add(offer);
                arrived.signal();
                return;
            }
        } finally {
            lock.unlock();
        }
        offer.take();
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
        Offer offer;
        lock.lockInterruptibly();
        try {
            while (waiting.isEmpty() && !ended && left > 0) {
                left = arrived.awaitNanos(left);
            }
            offer = waiting.poll();
        } finally {
            lock.unlock();
        }
        if (offer == null) {
            return null;
        }
        offer.take();
        return offer.push;
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

    /** Ends it; messages that wait here or come later go to other listeners of the client, or nowhere. */
    @Override
    public void close() {
        client.forget(this);
        List<Offer> left;
        lock.lock();
        try {
            ended = true;
            left = List.copyOf(waiting);
            waiting.clear();
            arrived.signalAll();
        } finally {
            lock.unlock();
        }
        left.forEach(Offer::take);
    }
}
