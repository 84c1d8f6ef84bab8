// Nothing grows with the number of calls.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.librpcx.Fixture.Args;
import io.github.librpcx.Fixture.Reply;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(240)
class MemoryTest {
    private static final int ROUND = 10_000;
    private static final int WARM_UP = 16;
    private static final int ROUNDS = 8;
    /** Per call this is less than the least thing that could be forgotten. */
    private static final long MOST_GROWTH = (long) ROUND * ROUNDS * 32;

    /** In a JVM of its own, whose heap is there from the beginning: what grows is the library's. */
    @Test
    void memoryStaysFlat() throws Exception {
        String output = Jvm.run(
                Jvm.own(), List.of("-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
                Child.class);
        assertTrue(number(output, "heap ") < MOST_GROWTH, output);
        assertTrue(number(output, "process ") < MOST_GROWTH, output);
    }

    private static long number(String output, String name) {
        return output.lines()
                .filter(line -> line.startsWith(name))
                .mapToLong(line -> Long.parseLong(line.substring(name.length())))
                .findFirst()
                .orElseThrow();
    }

    /** The other JVM. */
    static final class Child {
        private static final CallOptions QUICK = CallOptions.builder().timeout(Duration.ofMillis(1)).build();

        private Child() {}

        public static void main(String[] args) throws Exception {
            try (Fixture fixture = new Fixture()) {
                fixture.client.onPush(push -> {});
                for (int i = 0; i < WARM_UP; i++) {
                    calls(fixture);
                }
                long heap = heap();
                long process = process();
                for (int i = 0; i < ROUNDS; i++) {
                    calls(fixture);
                }
                System.out.println("heap " + (heap() - heap) + "\nprocess " + (process() - process));
            }
        }

        /** Good ones and bad ones, on both sides in this process. */
        private static void calls(Fixture fixture) throws Exception {
            Service service = fixture.service();
            List<CompletableFuture<Reply>> waiting = new ArrayList<>();
            for (int i = 0; i < ROUND; i++) {
                waiting.add(service.call(i % 2 == 0 ? "Mul" : "Add", new Args(i, 2), Reply.class));
                if (waiting.size() == 100) {
                    for (CompletableFuture<Reply> call : waiting) {
                        call.get(60, TimeUnit.SECONDS);
                    }
                    waiting.clear();
                }
            }
            for (int i = 0; i < 50; i++) {
                CompletableFuture<Reply> failing = service.call("Div", new Args(1, 0), Reply.class);
                assertThrows(ExecutionException.class, () -> failing.get(60, TimeUnit.SECONDS));
                assertThrows(RpcException.class, () -> fixture.blocking().call("Outwait", null, Reply.class, QUICK));
                service.call("Outwait", null, Reply.class).cancel(true);
                assertEquals("calm", fixture.blocking().call("Boom", "", String.class));
                fixture.blocking().call("Push", null, Void.class);
                assertEquals(1, fixture.server.connections().size());
            }
        }

        private static long heap() throws InterruptedException {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 5; i++) {
                System.gc();
                Thread.sleep(50);
                least = Math.min(least, ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
            }
            return least;
        }

        /** Bytes of the process that are in memory. */
        private static long process() throws Exception {
            String line = Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(one -> one.startsWith("VmRSS:"))
                    .findFirst()
                    .orElseThrow();
            return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        }
    }
}
