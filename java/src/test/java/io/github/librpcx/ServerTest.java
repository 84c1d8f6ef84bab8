// What a server tells of itself.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.librpcx.Fixture.Args;
import io.github.librpcx.Fixture.Reply;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ServerTest {
    @Test
    void aServerListsItsConnections() throws Exception {
        try (Fixture fixture = new Fixture();
                Client other = Client.open(fixture.server.addresses().get(0));
                Pushes pushes = other.pushes()) {
            assertEquals(List.of(), fixture.server.connections());
            Object peer = fixture.blocking().call("About", null, Map.class).get("peer");
            Object otherPeer = other.service("Arith").blocking().call("About", null, Map.class).get("peer");
            List<Connection> connections = fixture.server.connections();
            assertEquals(Set.of(peer, otherPeer), connections.stream().map(Connection::peer).collect(Collectors.toSet()));
            assertEquals(2, connections.stream().map(Connection::id).distinct().count());
            assertTrue(connections.stream().allMatch(Connection::isOpen));

            Connection second = connections.stream().filter(one -> one.peer().equals(otherPeer)).findFirst().orElseThrow();
            second.push("Arith", "Hello", new byte[] {1}, Map.of());
            Push push = pushes.poll(Fixture.PATIENCE);
            assertNotNull(push);
            assertEquals("Hello", push.method());

            second.close();
            Fixture.until("the connection is gone", () -> fixture.server.connections().size() == 1);
            assertFalse(second.isOpen());
            assertThrows(RpcException.class, () -> second.push("Arith", "Hello", new byte[0], Map.of()));
            assertEquals(new Reply(42), fixture.blocking().call("Mul", new Args(6, 7), Reply.class));
        }
    }

    /** A connection's requests are taken by one thread, so in their order; all threads of the server take some. */
    @Test
    void aConnectionKeepsItsThread() throws Exception {
        Map<String, Set<String>> threads = new ConcurrentHashMap<>();
        try (Server server = Server.builder()
                .listen("tcp@127.0.0.1:0")
                .threads(3)
                .asyncFunction("S", "Where", String.class, (context, text) -> {
                    threads.computeIfAbsent(context.peer(), peer -> ConcurrentHashMap.newKeySet())
                            .add(Thread.currentThread().getName());
                    return CompletableFuture.completedFuture(text);
                })
                .start()) {
            try (Client client = Client.builder(server.addresses().get(0)).connections(8).build()) {
                BlockingService service = client.service("S").blocking();
                Fixture.until("every connection was used", () -> {
                    for (int i = 0; i < 50; i++) {
                        assertEquals("x", service.call("Where", "x", String.class));
                    }
                    return threads.size() == 8;
                });
            }
        }
        Set<String> all = new HashSet<>();
        threads.values().forEach(names -> {
            assertEquals(1, names.size(), threads.toString());
            all.addAll(names);
        });
        assertEquals(3, all.size(), threads.toString());
    }

    /** By {@code System.Logger}, which is {@code java.util.logging} where nothing else is on the class path. */
    @Test
    void eventsReachTheSystemLogger() throws Exception {
        Logger logger = Logger.getLogger("rpcx");
        Set<String> heard = ConcurrentHashMap.newKeySet();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord record) {
                heard.add(record.getLoggerName() + " " + record.getLevel() + " " + record.getMessage());
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        logger.addHandler(handler);
        logger.setUseParentHandlers(false);
        try (Fixture fixture = new Fixture();
                Client client = Client.builder(fixture.server.addresses().get(0)).option("slow_call", "1us").build()) {
            logger.setLevel(Level.SEVERE);
            Rpcx.refreshLogging();
            client.service("Arith").blocking().call("Mul", new Args(1, 1), Reply.class);
            logger.setLevel(Level.WARNING);
            Rpcx.refreshLogging();
            client.service("Arith").blocking().call("Add", new Args(1, 1), Reply.class);
            Fixture.until("the slow call is logged", () ->
                    heard.stream().anyMatch(line -> line.startsWith("rpcx.slow WARNING ") && line.contains("Add")));
            assertTrue(heard.stream().noneMatch(line -> line.contains("Mul")), heard.toString());
            // What a handler throws by mistake is logged by the package itself.
            assertThrows(RpcException.class, () -> fixture.blocking().call("Boom", "bang", String.class));
            Fixture.until("the mistake is logged", () ->
                    heard.contains("rpcx.server SEVERE the handler of Arith.Boom failed"));
        } finally {
            logger.removeHandler(handler);
            logger.setUseParentHandlers(true);
            logger.setLevel(null);
            Rpcx.refreshLogging();
        }
    }
}
