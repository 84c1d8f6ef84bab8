// Time, failures, pushes, and what the server knows of its callers.
package interop;

import io.github.librpcx.CallKind;
import io.github.librpcx.CallOptions;
import io.github.librpcx.Client;
import io.github.librpcx.Context;
import io.github.librpcx.RpcException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** {@code Test}. */
public final class TestService {
    /** How long a cancelled handler holds its error back, so that the caller's own clock speaks first. */
    private static final long HOLD_MS = 100;
    /** How often a blocking handler looks whether it was cancelled. */
    private static final long LOOK_MS = 10;

    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor(body -> {
        Thread thread = new Thread(body, "timer");
        thread.setDaemon(true);
        return thread;
    });

    private final Tally tally;
    private final Map<String, Client> clients = new ConcurrentHashMap<>();

    TestService(Tally tally) {
        this.tally = tally;
    }

    public CompletionStage<Messages.SleepReply> sleep(Context context, Messages.SleepArgs args) {
        return asleep(context, args.Ms, () -> slept(args.Ms));
    }

    /** Waits with a timer; a cancelled call counts as such at once and gets its error later. */
    private <T> CompletionStage<T> asleep(Context context, long ms, Supplier<T> woken) {
        Tally.Running running = tally.begin(context);
        CompletableFuture<T> answer = new CompletableFuture<>();
        ScheduledFuture<?> timer = TIMER.schedule(() -> {
            if (running.end(null)) {
                answer.complete(woken.get());
            }
        }, Math.max(0, ms), TimeUnit.MILLISECONDS);
        context.onCancel(() -> {
            if (running.cancel()) {
                timer.cancel(false);
                TIMER.schedule(() -> answer.completeExceptionally(cancelled()), HOLD_MS, TimeUnit.MILLISECONDS);
            }
        });
        return answer;
    }

    public Messages.SleepReply block(Context context, Messages.SleepArgs args) throws InterruptedException {
        Tally.Running running = tally.begin(context);
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Math.max(0, args.Ms));
        for (long left = until - System.nanoTime(); left > 0; left = until - System.nanoTime()) {
            if (context.isCancelled()) {
                running.cancel();
                Thread.sleep(HOLD_MS);
                throw cancelled();
            }
            TimeUnit.NANOSECONDS.sleep(Math.min(left, TimeUnit.MILLISECONDS.toNanos(LOOK_MS)));
        }
        running.end(null);
        return slept(args.Ms);
    }

    private static Messages.SleepReply slept(long ms) {
        Messages.SleepReply reply = new Messages.SleepReply();
        reply.Slept = ms;
        return reply;
    }

    private static RpcException cancelled() {
        return RpcException.service("the call was cancelled while its handler slept");
    }

    public CompletionStage<Messages.Nothing> fail(Context context, Messages.TextArgs args) throws Exception {
        return tally.run(context, () -> {
            throw RpcException.service(args.Text);
        });
    }

    public CompletionStage<Messages.Nothing> panic(Context context, Messages.TextArgs args) throws Exception {
        return tally.run(context, () -> {
            throw new IllegalStateException(args.Text);
        });
    }

    public CompletionStage<Messages.CountReply> count(Context context, Messages.CountArgs args) throws Exception {
        return tally.run(context, () -> tally.of(args.Method));
    }

    public CompletionStage<Messages.MsReply> deadline(Context context, Messages.Nothing nothing) throws Exception {
        return tally.run(context, () -> left(context));
    }

    private static Messages.MsReply left(Context context) {
        Messages.MsReply reply = new Messages.MsReply();
        reply.Ms = context.remaining().map(Duration::toMillis).orElse(-1L);
        return reply;
    }

    public CompletionStage<Messages.PeerReply> peer(Context context, Messages.Nothing nothing) throws Exception {
        return tally.run(context, () -> {
            Messages.PeerReply reply = new Messages.PeerReply();
            reply.Address = context.peer();
            reply.Tls = context.tlsSubject().orElse("");
            return reply;
        });
    }

    public CompletionStage<Messages.MsReply> nested(Context context, Messages.NestedArgs args) {
        if (args.Depth <= 0) {
            return asleep(context, args.Ms, () -> {
                Services.metadata(context);
                return left(context);
            });
        }
        Tally.Running running = tally.begin(context);
        Messages.NestedArgs inner = new Messages.NestedArgs();
        inner.Address = args.Address;
        inner.Depth = args.Depth - 1;
        inner.Ms = args.Ms;
        // No deadline but the one that a call inherits.
        Client client = clients.computeIfAbsent(
                args.Address, address -> Client.builder(address).timeout(Duration.ZERO).build());
        return client.service("Test")
                .request(CallKind.CALL, "Nested", inner, Messages.MsReply.class, CallOptions.DEFAULT)
                .whenComplete((response, error) -> running.end(error == null ? null : cause(error)))
                .thenApply(response -> {
                    response.metadata().forEach((key, value) -> {
                        if (!key.startsWith("__")) {
                            context.setMetadata(key, value);
                        }
                    });
                    return response.value();
                });
    }

    private static Throwable cause(Throwable error) {
        return error.getCause() == null ? error : error.getCause();
    }

    public Messages.Nothing push(Context context, Messages.PushArgs args) throws Exception {
        Tally.Running running = tally.begin(context);
        try {
            for (long n = 0; n < args.Count; n++) {
                byte[] payload = (args.Text + "-" + n).getBytes(StandardCharsets.UTF_8);
                while (!pushed(context, payload, n)) {
                    // So many wait that the connection takes no more for now.
                    Thread.sleep(1);
                }
            }
            running.end(null);
            return new Messages.Nothing();
        } catch (RpcException e) {
            running.end(e);
            throw e;
        }
    }

    private static boolean pushed(Context context, byte[] payload, long n) {
        try {
            context.push("Test", "Pushed", payload, Map.of("n", Long.toString(n)));
            return true;
        } catch (RpcException.Limit e) {
            return false;
        }
    }

    public CompletionStage<Messages.Nothing> close(Context context, Messages.Nothing nothing) throws Exception {
        return tally.run(context, () -> {
            context.connection().close();
            return nothing;
        });
    }
}
