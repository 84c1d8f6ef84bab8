// The table of what waits.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TicketsTest {
    private static final class One implements Tickets.Waiting {
        @Override
        public void told(int type, int flags, ByteBuffer body) {
            throw new AssertionError("nobody tells");
        }

        @Override
        public void lost(RpcException why) {
            throw new AssertionError("nobody loses");
        }
    }

    @Test
    void aTicketIsGoodOnce() {
        Tickets tickets = new Tickets();
        One first = new One();
        long ticket = tickets.add(first);
        assertSame(first, tickets.take(ticket));
        assertNull(tickets.take(ticket));
        One second = new One();
        long again = tickets.add(second);
        assertNotEquals(ticket, again);
        assertNull(tickets.take(ticket), "an old ticket must not reach a new call");
        assertSame(second, tickets.take(again));
        assertNull(tickets.take(-1));
        assertNull(tickets.take(Long.MAX_VALUE));
    }

    @Test
    void itGrowsAndCloses() {
        Tickets tickets = new Tickets();
        Set<Long> given = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            given.add(tickets.add(new One()));
        }
        assertEquals(1000, given.size());
        tickets.close();
        assertEquals(Tickets.NONE, tickets.add(new One()));
        assertFalse(tickets.isOver());
        given.stream().limit(999).forEach(tickets::take);
        assertFalse(tickets.isOver());
        assertEquals(1, tickets.drain().size());
        assertTrue(tickets.isOver());
    }
}
