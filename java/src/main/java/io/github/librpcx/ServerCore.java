// What a server's requests go through.
package io.github.librpcx;

import io.github.librpcx.internal.Channel;
import io.github.librpcx.internal.Natives;
import io.github.librpcx.internal.Records;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The server behind {@link Server}, held by its pollers until it is closed. Requests come on one of several lanes, a channel each,
 * always the same one for a connection.
 */
final class ServerCore {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final System.Logger LOG = System.getLogger("rpcx.server");

    private final MethodEntry[] methods;
    private final MethodEntry.Body fallback;
    private final CodecSet codecs;
    private final Executor executor;
    private final ExecutorService ownExecutor;
    private final ServerInterceptor[] interceptors;
    private final Authenticator authenticator;
    private final boolean panicText;
    private final Channel[] lanes;
    private final Tickets tickets = new Tickets();
    private final Map<Long, Runnable> watched = new ConcurrentHashMap<>();
    private final CompletableFuture<Void> closed = new CompletableFuture<>();
    private final long address;

    ServerCore(Server.Builder from, byte[] config) {
        Logs.start();
        methods = from.methods().toArray(new MethodEntry[0]);
        fallback = from.fallbackBody();
        codecs = new CodecSet(from.codecs);
        ownExecutor = from.ownExecutor();
        executor = ownExecutor != null ? ownExecutor : from.executor();
        interceptors = from.interceptors().toArray(new ServerInterceptor[0]);
        authenticator = from.authenticator();
        panicText = from.panicText();
        lanes = new Channel[from.pollers()];
        long[] addresses = new long[lanes.length];
        int number = COUNT.incrementAndGet();
        for (int lane = 0; lane < lanes.length; lane++) {
            lanes[lane] = new Channel("rpcx-server-" + number + "-" + lane, new Lane(lane));
            addresses[lane] = lanes[lane].address();
        }
        try {
            address = Failures.ask(lanes, 0L, none -> Natives.startServer(addresses, config));
        } catch (RpcException e) {
            if (ownExecutor != null) {
                ownExecutor.shutdown();
            }
            throw e;
        }
        long owned = address;
        CLEANER.register(this, () -> Natives.freeServer(owned));
        for (Channel lane : lanes) {
            lane.start();
        }
    }

    Channel channel(int lane) {
        return lanes[lane];
    }

    long address() {
        return address;
    }

    CompletableFuture<Void> closed() {
        return closed;
    }

    /** Remembers what to run when a request is given up, and asks to be told. */
    void watch(int lane, long id, Runnable action) {
        long key = key(lane, id);
        watched.merge(key, action, (first, second) -> () -> {
            first.run();
            second.run();
        });
        if (!Failures.ask(lanes[lane], channel -> Natives.watch(channel, id))) {
            watched.remove(key);
        }
    }

    private static long key(int lane, long id) {
        return (long) lane << 56 ^ id;
    }

    CompletableFuture<Void> shutdown(Duration deadline, boolean keepRegistered) {
        CallFuture<Void> future = new CallFuture<>(lanes[0], (type, body) -> null, null, this);
        long ticket = tickets.add(future);
        if (ticket == Tickets.NONE) {
            return closed.copy();
        }
        long millis = deadline.toMillis();
        Failures.act(lanes[0], lane -> Natives.shutdownServer(address, lane, millis, keepRegistered, ticket));
        return future.whenComplete((none, error) -> close());
    }

    void close() {
        tickets.drain().forEach(waiting -> waiting.lost(Failures.closed("the server was closed meanwhile")));
        Failures.ask(this, address, server -> {
            Natives.closeServer(server);
            return null;
        });
        for (Channel lane : lanes) {
            lane.end();
        }
        if (ownExecutor != null) {
            ownExecutor.shutdown();
        }
        closed.complete(null);
    }

    /** One way for requests, with its thread. */
    private final class Lane implements Channel.Sink {
        private final int lane;

        Lane(int lane) {
            this.lane = lane;
        }

        @Override
        public void event(int type, int flags, long id, ByteBuffer body) {
            switch (type) {
                case Records.REQUEST -> request(lane, id, body);
                case Records.CANCELLED -> {
                    Runnable action = watched.remove(key(lane, id));
                    if (action != null) {
                        action.run();
                    }
                }
                case Records.AUTH -> authenticate(lane, id, body);
                case Records.DONE -> {
                    Tickets.Waiting waiting = tickets.take(id);
                    if (waiting != null) {
                        waiting.told(type, flags, body);
                    }
                }
                default -> LOG.log(System.Logger.Level.ERROR, "an event of type " + type + " came to a server");
            }
        }

        @Override
        public void ended() {
            tickets.drain().forEach(waiting -> waiting.lost(Failures.closed("the server is closed")));
        }
    }

    private void request(int lane, long id, ByteBuffer body) {
        int index = body.getInt();
        SerializeType serialize = new SerializeType(body.get());
        boolean oneway = body.get() != 0;
        long remaining = body.getLong();
        MethodEntry entry;
        if (index == Records.FALLBACK) {
            String service = Records.text(body);
            entry = new MethodEntry(service, Records.text(body), byte[].class, true, fallback);
        } else {
            entry = methods[index];
        }
        byte[] pairs = null;
        int length = body.getInt();
        if (length > 0) {
            pairs = new byte[length];
            body.get(pairs);
        }
        Context context =
                new Context(this, lane, id, entry.service(), entry.method(), serialize, oneway, remaining, pairs);
        if (entry.async()) {
            run(context, entry, body);
            return;
        }
        byte[] payload = Records.rest(body);
        try {
            executor.execute(() -> run(context, entry, Records.over(payload, 0, payload.length)));
        } catch (RejectedExecutionException e) {
            fail(context, "overload.workers", "too many requests wait for a thread");
        }
    }

    /** Decodes, runs, answers, on this thread. */
    private void run(Context context, MethodEntry entry, ByteBuffer payload) {
        Object argument;
        try {
            argument = codecs.decode(context.serializeType(), payload, entry.argument());
        } catch (RpcException e) {
            fail(context, "codec.server", e.getMessage());
            return;
        }
        Object result;
        try {
            result = context.call(() -> {
                try {
                    return interceptors.length == 0
                            ? entry.body().run(context, argument)
                            : intercepted(context, entry, 0).proceed(argument);
                } catch (Exception | Error e) {
                    throw e;
                } catch (Throwable e) {
                    throw new IllegalStateException(e);
                }
            });
        } catch (Exception | StackOverflowError | OutOfMemoryError | AssertionError | LinkageError e) {
            failed(context, e);
            return;
        }
        if (result instanceof CompletionStage<?> stage) {
            stage.whenComplete((value, error) -> {
                if (error == null) {
                    answer(context, value);
                } else {
                    failed(context, error);
                }
            });
        } else {
            answer(context, result);
        }
    }

    private ServerInterceptor.Next intercepted(Context context, MethodEntry entry, int index) {
        if (index < interceptors.length) {
            return argument -> interceptors[index].intercept(context, argument, intercepted(context, entry, index + 1));
        }
        return argument -> {
            Object result;
            try {
                result = entry.body().run(context, argument);
            } catch (Exception | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException(e);
            }
            return result instanceof CompletionStage<?> stage ? stage : CompletableFuture.completedFuture(result);
        };
    }

    private void answer(Context context, Object value) {
        Answer answer;
        try {
            answer = Answer.reply(context, codecs.encode(context.serializeType(), value));
        } catch (RpcException e) {
            answer = Answer.failure(context, "codec.server", "the answer could not be encoded: " + e.getMessage());
        }
        send(context, answer);
    }

    /** What a handler threw: the words of {@link RpcException} go to the caller; anything else is a mistake of the handler. */
    private void failed(Context context, Throwable error) {
        Throwable cause = Failures.cause(error);
        if (cause instanceof RpcException told) {
            fail(context, told.reason(), told.getMessage());
            return;
        }
        String where = context.service() + "." + context.method();
        LOG.log(System.Logger.Level.ERROR, "the handler of " + where + " failed", cause);
        String text = cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
        fail(context, "service.panic", "internal error in " + where + (panicText ? ": " + text : ""));
    }

    private void fail(Context context, String reason, String message) {
        send(context, Answer.failure(context, reason, message));
    }

    private void send(Context context, Answer answer) {
        watched.remove(key(context.lane(), context.id()));
        lanes[context.lane()].send(answer);
    }

    private void authenticate(int lane, long id, ByteBuffer body) {
        String token = Records.text(body);
        String service = Records.text(body);
        String method = Records.text(body);
        String peer = Records.text(body);
        Optional<String> subject = Optional.ofNullable(Records.text(body));
        AuthRequest request = new AuthRequest(token, service, method, peer, subject, Map.copyOf(Records.pairs(body)));
        CompletionStage<?> decision;
        try {
            decision = authenticator.authenticate(request);
        } catch (RuntimeException e) {
            decision = CompletableFuture.failedFuture(e);
        }
        decision.whenComplete((passed, error) -> lanes[lane].send(verdict(id, error)));
    }

    private static Answer verdict(long id, Throwable error) {
        if (error == null) {
            return Answer.admit(id);
        }
        if (Failures.cause(error) instanceof RpcException told) {
            String reason = told.kind() == ErrorKind.SERVICE ? "auth.refused" : told.reason();
            return Answer.refuse(id, reason, told.getMessage());
        }
        LOG.log(System.Logger.Level.ERROR, "the authenticator failed", Failures.cause(error));
        return Answer.refuse(id, "auth.refused", "the authenticator failed");
    }

    List<Connection> connections() {
        long[] handles = Failures.ask(this, address, Natives::connections);
        return Arrays.stream(handles).mapToObj(Connection::new).toList();
    }

    List<String> addresses() {
        return List.of(Failures.ask(this, address, Natives::serverAddresses).split("\n"));
    }
}
