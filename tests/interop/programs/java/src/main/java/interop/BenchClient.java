// The bench client.
package interop;

import io.github.librpcx.Client;
import io.github.librpcx.RpcException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import pb.Benchmark.BenchmarkMessage;

/** Calls {@code Hello.Say} in a closed loop, with every default on, and prints what it measured. */
public final class BenchClient {
    private static final String USAGE = """
            usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]
                                [--flavor async|blocking]

            Runs N callers in a closed loop over N connections, checks every reply, and prints one JSON line.

              --flavor async       the end of one call starts the next, without a thread: the default
              --flavor blocking    a thread a caller
            """;
    private static final long PAUSE_MS = 5;

    private final BenchmarkMessage request = Hello.request();
    private final Recorder recorder = new Recorder();

    private BenchClient() {}

    /** Measures. */
    public static void main(String[] args) throws Exception {
        Args given = new Args(args, USAGE,
                Set.of("addr", "conns", "concurrency", "seconds", "warmup", "server-pid", "flavor", "peer"));
        String address = given.one("addr");
        if (address == null) {
            throw given.refuse("--addr HOST:PORT is missing");
        }
        String flavor = given.one("flavor", "async");
        if (!Set.of("async", "blocking").contains(flavor)) {
            throw given.refuse("--flavor " + flavor + ": expected async or blocking");
        }
        new BenchClient().run(given, address, flavor.equals("async"));
    }

    private void run(Args given, String address, boolean async) throws Exception {
        int concurrency = Math.max(1, (int) given.number("concurrency", 1));
        int conns = Math.min(concurrency, Math.max(1, (int) given.number("conns", 1)));
        // All connections belong to one client, whose replies one thread takes.
        Client client = Client.builder("tcp@" + address).connections(conns).build();
        List<Thread> threads = new ArrayList<>();
        Hello.Blocking blocking = client.service(Hello.Blocking.class);
        try {
            check(blocking.say(request));
        } catch (RpcException e) {
            throw given.refuse(e.getMessage());
        }
        for (int i = 0; i < concurrency; i++) {
            if (async) {
                new AsyncCaller(client.service(Hello.Async.class)).next();
            } else {
                Thread thread = new Thread(() -> loop(blocking));
                thread.setDaemon(true);
                thread.start();
                threads.add(thread);
            }
        }
        recorder.measure(given);
        System.exit(0);
    }

    private static void check(BenchmarkMessage reply) {
        if (!Hello.isAnswer(reply)) {
            throw new IllegalStateException("a reply without OK and 100");
        }
    }

    /** A thread of its own for the caller. */
    private void loop(Hello.Blocking hello) {
        while (!recorder.isOver()) {
            long began = System.nanoTime();
            try {
                check(hello.say(request));
                recorder.took(System.nanoTime() - began);
            } catch (RuntimeException e) {
                recorder.failed(e);
            }
        }
    }

    /** No thread: the end of one call starts the next. */
    private final class AsyncCaller {
        private final Hello.Async hello;
        private long began;

        AsyncCaller(Hello.Async hello) {
            this.hello = hello;
        }

        void next() {
            began = System.nanoTime();
            hello.say(request).whenComplete(this::ended);
        }

        private void ended(BenchmarkMessage reply, Throwable error) {
            if (error == null && Hello.isAnswer(reply)) {
                recorder.took(System.nanoTime() - began);
                if (!recorder.isOver()) {
                    next();
                }
            } else if (!recorder.isOver()) {
                recorder.failed(error);
                CompletableFuture.delayedExecutor(PAUSE_MS, TimeUnit.MILLISECONDS).execute(this::next);
            }
        }
    }
}
