// Messages that servers send on their own, to readers of every speed.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PushTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** What the package may keep beyond the client's own queue. */
    private static final int IN_JAVA = 64;

    private static Server server() {
        return Server.builder()
                .listen("tcp@127.0.0.1:0")
                .option("push_queue", 100_000)
                .function("Push", "Many", Long.class, (context, count) -> {
                    for (long i = 0; i < count; i++) {
                        context.push("Push", "Numbered", new byte[1000], Map.of("n", "" + i));
                    }
                    return count;
                })
                .start();
    }

    private static long count(Client client, String name) throws Exception {
        return JSON.readTree(client.statsJson()).get("pushes").get(name).asLong();
    }

    @Test
    void aSlowReaderIsBounded() throws Exception {
        try (Server server = server();
                Client client = Client.builder(server.addresses().get(0)).option("push_queue", 10).build();
                Pushes pushes = client.pushes()) {
            BlockingService service = client.service("Push").blocking();
            service.call("Many", 1000L, Long.class);
            Fixture.until("all have come", () -> {
                try {
                    return count(client, "count") == 1000;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            // Counted by the client, as Rust's is: nothing is lost in silence.
            long dropped = count(client, "dropped");
            assertTrue(dropped >= 1000 - 10 - IN_JAVA - 1, "dropped " + dropped);
            long read = 0;
            for (; read + dropped < 1000; read++) {
                assertNotNull(pushes.poll(Fixture.PATIENCE), "after " + read + " with " + dropped + " dropped");
            }
            assertNull(pushes.poll(Duration.ofMillis(1)));
            // What was read has made room.
            service.call("Many", 5L, Long.class);
            for (int i = 0; i < 5; i++) {
                assertEquals("" + i, pushes.poll(Fixture.PATIENCE).metadata().get("n"));
            }
        }
    }

    @Test
    void nothingIsLostWhereTheClientMayWait() throws Exception {
        try (Server server = server();
                Client client = Client.builder(server.addresses().get(0))
                        .option("push_queue", 10)
                        .option("push_overflow", "block")
                        .build();
                Pushes fast = client.pushes();
                Pushes slow = client.pushes()) {
            CompletableFuture<Long> call = client.service("Push").call("Many", 1000L, Long.class);
            for (int i = 0; i < 1000; i++) {
                assertEquals("" + i, fast.poll(Fixture.PATIENCE).metadata().get("n"));
                assertEquals("" + i, slow.poll(Fixture.PATIENCE).metadata().get("n"));
            }
            assertEquals(1000, call.get(20, TimeUnit.SECONDS));
            assertEquals(0, count(client, "dropped"));
        }
    }

    @Test
    void aReaderThatLeavesHoldsNobodyUp() throws Exception {
        try (Server server = server();
                Client client = Client.builder(server.addresses().get(0))
                        .option("push_queue", 10)
                        .option("push_overflow", "block")
                        .build();
                Pushes stays = client.pushes()) {
            Pushes leaves = client.pushes();
            CompletableFuture<Long> call = client.service("Push").call("Many", 1000L, Long.class);
            for (int i = 0; i < 50; i++) {
                assertNotNull(stays.poll(Fixture.PATIENCE));
            }
            leaves.close();
            assertNull(leaves.poll(Duration.ofMillis(1)));
            for (int i = 50; i < 1000; i++) {
                Push push = stays.poll(Fixture.PATIENCE);
                assertEquals("" + i, push.metadata().get("n"));
                assertArrayEquals(new byte[1000], push.payload());
            }
            assertEquals(1000, call.get(20, TimeUnit.SECONDS));
        }
    }
}
