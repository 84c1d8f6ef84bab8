// The end of a server that has work to do.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ShutdownTest {
    private static final int TIMES = 25;
    private static final int CALLS = 400;

    /** Handlers of both forms, those that run and those that wait for a thread. */
    public static final class Work {
        static final Executor LATER = CompletableFuture.delayedExecutor(2, TimeUnit.MILLISECONDS);
        final AtomicInteger begun = new AtomicInteger();
        final AtomicInteger answered = new AtomicInteger();

        public long plain(long number) throws InterruptedException {
            begun.incrementAndGet();
            Thread.sleep(2);
            answered.incrementAndGet();
            return number;
        }

        public CompletionStage<Long> later(long number) {
            begun.incrementAndGet();
            return CompletableFuture.supplyAsync(() -> {
                answered.incrementAndGet();
                return number;
            }, LATER);
        }
    }

    @Test
    void noAcceptedRequestIsLost() throws Exception {
        for (int i = 0; i < TIMES; i++) {
            once(i);
        }
    }

    private static void once(int round) throws Exception {
        Work work = new Work();
        try (Server server = Server.builder()
                        .listen("tcp@127.0.0.1:0")
                        .option("worker_threads", 4)
                        .service(work)
                        .start();
                Client client = Client.builder(server.addresses().get(0)).connections(4).failMode(FailMode.FAILFAST).build()) {
            Service service = client.service("Work");
            List<CompletableFuture<Long>> calls = new ArrayList<>();
            for (long number = 0; number < CALLS; number++) {
                calls.add(service.call(number % 2 == 0 ? "Plain" : "Later", number, Long.class));
            }
            Fixture.until("some have begun", () -> work.begun.get() > 0);
            Thread.sleep(round);
            server.shutdown(Fixture.PATIENCE).get(20, TimeUnit.SECONDS);
            server.awaitClosed();
            int replies = 0;
            for (int number = 0; number < CALLS; number++) {
                CompletableFuture<Long> call = calls.get(number);
                try {
                    assertEquals(number, call.get(20, TimeUnit.SECONDS));
                    replies++;
                } catch (ExecutionException e) {
                    // A request that came too late was not run, and its caller is told so.
                    RpcException refused = (RpcException) e.getCause();
                    assertTrue(refused.kind() == ErrorKind.SHUTTING_DOWN || refused.delivery() == Delivery.NOT_SENT,
                            refused.reason() + " " + refused.delivery() + ": " + refused.getMessage());
                }
            }
            assertEquals(work.begun.get(), work.answered.get());
            assertEquals(work.answered.get(), replies, "answers that did not arrive");
        }
    }
}
