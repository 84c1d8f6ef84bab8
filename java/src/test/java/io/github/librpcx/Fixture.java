// A server and a client of it, for tests.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;

/** What the tests call. */
final class Fixture implements AutoCloseable {
    static final Duration PATIENCE = Duration.ofSeconds(20);

    final Arith arith = new Arith();
    final Server server;
    final Client client;

    record Args(@JsonProperty("A") long a, @JsonProperty("B") long b) {}

    record Reply(@JsonProperty("C") long c) {}

    /** A service with every form of method. */
    public static final class Arith {
        final CountDownLatch entered = new CountDownLatch(1);
        final CompletableFuture<Boolean> cancelled = new CompletableFuture<>();
        final CompletableFuture<String> oneway = new CompletableFuture<>();

        public Reply mul(Args args) {
            return new Reply(args.a * args.b);
        }

        public CompletionStage<Reply> add(Context context, Args args) {
            return CompletableFuture.completedFuture(new Reply(args.a + args.b));
        }

        public Reply div(Args args, Context context) {
            if (args.b == 0) {
                throw RpcException.service("divide by zero");
            }
            return new Reply(args.a / args.b);
        }

        public CompletionStage<Reply> hang(Context context) {
            context.onCancel(() -> cancelled.complete(context.isCancelled()));
            entered.countDown();
            return new CompletableFuture<>();
        }

        /** Ends when nobody waits any more. */
        public CompletionStage<Reply> outwait(Context context) {
            CompletableFuture<Reply> ended = new CompletableFuture<>();
            context.onCancel(() -> ended.complete(new Reply(0)));
            return ended;
        }

        public String thread() {
            return Thread.currentThread().getName();
        }

        public CompletionStage<String> poller() {
            return CompletableFuture.completedFuture(Thread.currentThread().getName());
        }

        public void nothing() {}

        public void note(String text) {
            oneway.complete(text);
        }

        public String boom(String text) {
            if (!text.isEmpty()) {
                throw new IllegalStateException(text);
            }
            return "calm";
        }

        public byte[] size(long bytes) {
            return new byte[(int) bytes];
        }

        public Map<String, String> about(Context context) {
            context.setMetadata("seen", "yes");
            return Map.of(
                    "service", context.service(), "method", context.method(), "peer", context.peer(),
                    "key", context.metadata().getOrDefault("key", ""), "remaining", "" + context.remaining().isPresent());
        }

        public void push(Context context) {
            for (int i = 0; i < 3; i++) {
                context.push("Arith", "Pushed", new byte[] {(byte) i}, Map.of("n", "" + i));
            }
        }
    }

    Fixture() {
        server = Server.builder().listen("tcp@127.0.0.1:0").service(arith).start();
        client = Client.open(server.addresses().get(0));
    }

    Service service() {
        return client.service("Arith");
    }

    BlockingService blocking() {
        return service().blocking();
    }

    /** Waits for a condition. */
    static void until(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                fail("not within " + PATIENCE + ": " + what);
            }
            Thread.sleep(5);
        }
    }

    @Override
    public void close() {
        client.close();
        server.close();
    }
}
