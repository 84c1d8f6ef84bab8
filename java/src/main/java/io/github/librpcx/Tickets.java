// The calls that wait for an event.
package io.github.librpcx;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A table of what waits for an event, by ticket: the number of a slot, and how often the slot was used before. */
final class Tickets {
    /** No ticket: the table is closed. */
    static final long NONE = -1;

    private static final int FIRST_SLOTS = 64;

    private Waiting[] slots = new Waiting[FIRST_SLOTS];
    private int[] uses = new int[FIRST_SLOTS];
    private int[] free = new int[FIRST_SLOTS];
    private int freeCount;
    private int used;
    private boolean closed;

    /** What waits. */
    interface Waiting {
        /** The event has come; runs on the poller. */
        void told(int type, int flags, ByteBuffer body);

        /** It will never come; why is told. */
        void lost(RpcException why);
    }

    synchronized long add(Waiting waiting) {
        if (closed) {
            return NONE;
        }
        int slot;
        if (freeCount > 0) {
            slot = free[--freeCount];
        } else {
            if (used == slots.length) {
                grow();
            }
            slot = used++;
        }
        slots[slot] = waiting;
        uses[slot] = (uses[slot] + 1) & Integer.MAX_VALUE;
        return (long) uses[slot] << 32 | slot;
    }

    private void grow() {
        int length = slots.length * 2;
        slots = Arrays.copyOf(slots, length);
        uses = Arrays.copyOf(uses, length);
        free = Arrays.copyOf(free, length);
    }

    /** Takes what waits with this ticket; null when nothing does. */
    synchronized Waiting take(long ticket) {
        int slot = (int) ticket;
        if (slot < 0 || slot >= used || slots[slot] == null || uses[slot] != (int) (ticket >>> 32)) {
            return null;
        }
        Waiting waiting = slots[slot];
        slots[slot] = null;
        free[freeCount++] = slot;
        return waiting;
    }

    /** Takes no more. */
    synchronized void close() {
        closed = true;
    }

    /** Whether it takes no more and nothing waits. */
    synchronized boolean isOver() {
        return closed && freeCount == used;
    }

    /** Empties and closes it. */
    synchronized List<Waiting> drain() {
        closed = true;
        List<Waiting> all = new ArrayList<>();
        for (int slot = 0; slot < used; slot++) {
            if (slots[slot] != null) {
                all.add(slots[slot]);
                slots[slot] = null;
                free[freeCount++] = slot;
            }
        }
        return all;
    }
}
