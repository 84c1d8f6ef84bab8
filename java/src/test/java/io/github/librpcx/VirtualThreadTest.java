// Virtual threads as callers and as handlers.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.librpcx.Fixture.Reply;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(240)
class VirtualThreadTest {
    /** More than there are threads to carry them. */
    private static final int AT_ONCE = 200;

    /**
     * What a virtual thread needs, on every JVM: who waits for a reply waits in Java, where it can be taken off its carrier,
     * not in a native method.
     */
    @Test
    void whoWaitsParksInJava() throws Exception {
        try (Fixture fixture = new Fixture()) {
            Thread caller = new Thread(() -> {
                try {
                    fixture.blocking().call("Hang", null, Reply.class);
                } catch (RpcException.Cancelled e) {
                    assertTrue(Thread.currentThread().isInterrupted());
                }
            });
            caller.start();
            assertTrue(fixture.arith.entered.await(20, TimeUnit.SECONDS));
            Fixture.until("the caller parks", () -> caller.getState() == Thread.State.WAITING);
            StackTraceElement[] stack = caller.getStackTrace();
            assertTrue(Arrays.stream(stack).anyMatch(frame -> frame.getClassName().equals("java.util.concurrent.locks.LockSupport")),
                    Arrays.toString(stack));
            assertTrue(Arrays.stream(stack).noneMatch(frame -> frame.getClassName().endsWith(".Natives")), Arrays.toString(stack));
            caller.interrupt();
            caller.join();
        }
    }

    /**
     * In a JVM that has them, with one thread to carry all of them: it would never end if a caller or a handler that waits
     * kept that thread.
     */
    @Test
    void oneCarrierIsEnough() throws Exception {
        Optional<Path> java = Jvm.newer(21);
        assumeTrue(java.isPresent(), "no JVM of version 21 or newer is installed beside this one");
        List<String> options = List.of(
                "-Djdk.virtualThreadScheduler.parallelism=1", "-Djdk.virtualThreadScheduler.maxPoolSize=1",
                "--enable-native-access=ALL-UNNAMED", "-Xcheck:jni", "-Xmx256m");
        String output = Jvm.run(java.get(), options, Child.class);
        assertTrue(output.contains(AT_ONCE + " at once"), output);
    }

    /** The other JVM. */
    static final class Child {
        private Child() {}

        public static void main(String[] args) throws Exception {
            // Java 17, which compiles this, has no such executor.
            ExecutorService virtual =
                    (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
            CountDownLatch all = new CountDownLatch(AT_ONCE);
            try (Server server = Server.builder()
                            .listen("tcp@127.0.0.1:0")
                            .executor(virtual)
                            .option("max_in_flight", 1000)
                            .function("S", "Meet", Long.class, (context, number) -> {
                                // Every handler waits for all others: so do their callers.
                                all.countDown();
                                assertTrue(all.await(60, TimeUnit.SECONDS));
                                assertEquals("S", Context.current().service());
                                return number * 2;
                            })
                            .start();
                    Client client = Client.open(server.addresses().get(0))) {
                BlockingService service = client.service("S").blocking();
                List<Future<Long>> replies = new ArrayList<>();
                for (long i = 0; i < AT_ONCE; i++) {
                    long number = i;
                    replies.add(virtual.submit(() -> service.call("Meet", number, Long.class)));
                }
                for (int i = 0; i < AT_ONCE; i++) {
                    assertEquals(2L * i, replies.get(i).get(60, TimeUnit.SECONDS));
                }
                System.out.println(replies.size() + " at once");
            }
            System.exit(0);
        }
    }
}
