// The server.
package io.github.librpcx;

import io.github.librpcx.internal.Natives;
import io.github.librpcx.internal.Writer;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A running server.
 *
 * <pre>{@code
 * try (Server server = Server.builder().listen("tcp@127.0.0.1:8972").service(new ArithService()).start()) {
 *     server.awaitClosed();
 * }
 * }</pre>
 *
 * <p>It serves until it is closed, also when nobody refers to it any more; its threads are daemons and keep no JVM from ending.
 */
public final class Server implements AutoCloseable {
    private final ServerCore core;

    private Server(ServerCore core) {
        this.core = core;
    }

    /**
     * Begins a server.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Where it listens, in the order given, with the real ports.
     *
     * @return the addresses
     */
    public List<String> addresses() {
        return core.addresses();
    }

    /**
     * The connections of its clients at this moment: to push to, or to close.
     *
     * @return the connections, in no order
     */
    public List<Connection> connections() {
        return core.connections();
    }

    /**
     * What the server has counted, as JSON.
     *
     * @return an object
     */
    public String statsJson() {
        return Failures.ask(core, core.address(), Natives::serverStats);
    }

    /**
     * The same as Prometheus reads it.
     *
     * @param name tells several servers apart
     * @return the text exposition format
     */
    public String metrics(String name) {
        return Failures.ask(core, core.address(), server -> Natives.serverMetrics(server, name));
    }

    /**
     * Replaces what registries tell of a service beside its address.
     *
     * @param service the service path; empty: all
     * @param metadata a query: {@code group=a&weight=7}
     */
    public void setMetadata(String service, String metadata) {
        Failures.ask(core, core.address(), server -> {
            Natives.setServerMetadata(server, service, metadata);
            return null;
        });
    }

    /**
     * Ends it without losing an accepted request: leaves the registries, closes the listeners, waits for the requests under way.
     *
     * @param deadline at most so long
     * @return done when it is closed; fails with kind {@link ErrorKind#TIMEOUT} when requests were cut off
     */
    public CompletableFuture<Void> shutdown(Duration deadline) {
        return core.shutdown(deadline, false);
    }

    /**
     * Waits until it is closed.
     *
     * @throws InterruptedException when the thread was interrupted
     */
    public void awaitClosed() throws InterruptedException {
        try {
            core.closed().get();
        } catch (java.util.concurrent.ExecutionException e) {
            throw Failures.thrown(e);
        }
    }

    /** Ends it at once; requests under way are cancelled. Never blocks; again does nothing. */
    @Override
    public void close() {
        core.close();
    }

    /** Builds a {@link Server}. */
    public static final class Builder extends OptionBuilder<Builder> {
        private static final AtomicInteger POOLS = new AtomicInteger();

        private final List<String> listen = new ArrayList<>();
        private final List<String> registries = new ArrayList<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();
        private final List<MethodEntry> methods = new ArrayList<>();
        private final List<List<String>> aliases = new ArrayList<>();
        private final List<ServerInterceptor> interceptors = new ArrayList<>();
        private MethodEntry.Body fallback;
        private Authenticator authenticator;
        private Executor executor;
        private int threads;
        private int pollers;

        private Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /**
         * Adds an address to listen on.
         *
         * @param address such as {@code tcp@127.0.0.1:0} or {@code unix@/run/x.sock}; port 0 is chosen by the system
         * @return this
         */
        public Builder listen(String address) {
            listen.add(Objects.requireNonNull(address, "address"));
            return this;
        }

        /**
         * Adds a registry to announce the services to.
         *
         * @param url its URL
         * @return this
         */
        public Builder registry(String url) {
            registries.add(Objects.requireNonNull(url, "url"));
            return this;
        }

        /**
         * What registries tell of a service beside its address.
         *
         * @param service the service path; empty: all
         * @param query such as {@code group=a&weight=7}
         * @return this
         */
        public Builder metadata(String service, String query) {
            metadata.put(service, query);
            return this;
        }

        /**
         * Serves an object's methods, under the name that {@link RpcService} gives or its class has.
         *
         * @param object its methods have at most one argument, and a {@link Context} beside it if wanted. Those that return a
         *     {@link java.util.concurrent.CompletionStage} run on a thread of the server that must not be blocked, the others on
         *     the executor
         * @return this
         * @throws RpcException of kind {@link ErrorKind#CONFIG} for methods that cannot be served
         */
        public Builder service(Object object) {
            return service(Names.service(object.getClass()), object);
        }

        /**
         * Serves an object's methods under a name.
         *
         * @param name the service path
         * @param object as of {@link #service(Object)}
         * @return this
         */
        public Builder service(String name, Object object) {
            methods.addAll(ServiceMethods.of(name, object));
            return this;
        }

        /**
         * Serves a function, on the executor.
         *
         * @param service the service path
         * @param method the method
         * @param argument what requests are decoded into
         * @param handler the function
         * @param <A> the argument
         * @param <R> the reply
         * @return this
         */
        public <A, R> Builder function(String service, String method, Class<A> argument, Handler<A, R> handler) {
            return add(service, method, argument, false, (context, value) -> handler.handle(context, Builder.<A>cast(value)));
        }

        /**
         * Serves a function with a future, on a thread that must not be blocked.
         *
         * @param service the service path
         * @param method the method
         * @param argument what requests are decoded into; {@code byte[]}: the payload as it is, in every serialize type
         * @param handler the function
         * @param <A> the argument
         * @param <R> the reply
         * @return this
         */
        public <A, R> Builder asyncFunction(String service, String method, Class<A> argument, AsyncHandler<A, R> handler) {
            return add(service, method, argument, true, (context, value) -> handler.handle(context, Builder.<A>cast(value)));
        }

        /**
         * Takes the requests that no method takes, payloads as they are.
         *
         * @param handler the function, on a thread that must not be blocked
         * @return this
         */
        public Builder fallback(AsyncHandler<byte[], byte[]> handler) {
            fallback = (context, value) -> handler.handle(context, (byte[]) value);
            return this;
        }

        /**
         * Another name for a method.
         *
         * @param service the service path of the alias
         * @param method the method of the alias
         * @param realService the service path that it stands for
         * @param realMethod the method that it stands for
         * @return this
         */
        public Builder alias(String service, String method, String realService, String realMethod) {
            aliases.add(List.of(service, method, realService, realMethod));
            return this;
        }

        /**
         * Has every request's token judged.
         *
         * @param judge the authenticator
         * @return this
         */
        public Builder authenticator(Authenticator judge) {
            authenticator = Objects.requireNonNull(judge, "judge");
            return this;
        }

        /**
         * Adds an interceptor around those that were added after it.
         *
         * @param interceptor runs around every handler
         * @return this
         */
        public Builder interceptor(ServerInterceptor interceptor) {
            interceptors.add(Objects.requireNonNull(interceptor, "interceptor"));
            return this;
        }

        /**
         * Where handlers run that return no stage. Unset: a pool of the server's own, of {@code worker_threads} threads and with a
         * queue of {@code worker_queue} requests.
         *
         * @param own any, also one of virtual threads; a request that it refuses is answered {@code overload}
         * @return this
         */
        public Builder executor(Executor own) {
            executor = Objects.requireNonNull(own, "own");
            return this;
        }

        /**
         * The library's threads for this server's connections.
         *
         * @param count one per core unless given
         * @return this
         */
        public Builder threads(int count) {
            threads = positive("threads", count);
            return this;
        }

        /**
         * The threads that take requests out of the library, decode them and run the handlers that return a stage. Each carries
         * the connections of one of the {@link #threads} meanwhile, which sleeps then: with as many of these as of those a
         * request changes no thread.
         *
         * @param count as many as {@code threads} unless given
         * @return this
         */
        public Builder pollers(int count) {
            pollers = positive("pollers", count);
            return this;
        }

        /**
         * Binds and serves.
         *
         * @return the running server
         * @throws RpcException of kind {@link ErrorKind#CONFIG} for an option or address that is none or cannot be bound
         */
        public Server start() {
            return new Server(new ServerCore(this, config()));
        }

        private static int positive(String what, int count) {
            if (count < 1) {
                throw Failures.argument(what + ": " + count + " is too few");
            }
            return count;
        }

        /** The value was decoded into this class. */
        @SuppressWarnings("unchecked")
        private static <A> A cast(Object value) {
            return (A) value;
        }

        private Builder add(String service, String method, Type argument, boolean async, MethodEntry.Body body) {
            methods.add(new MethodEntry(service, method, argument, async, body));
            return this;
        }

        private byte[] config() {
            Map<String, String> values = options.all();
            Writer out = new Writer().texts(listen).texts(registries).number(metadata.size());
            metadata.forEach((service, query) -> out.text(service).text(query));
            out.number(values.size());
            values.forEach((name, value) -> out.text(name).text(value));
            out.number(threads).number(methods.size());
            methods.forEach(method -> out.text(method.service()).text(method.method()));
            out.number(aliases.size());
            aliases.forEach(alias -> alias.forEach(out::text));
            return out.number(fallback == null ? 0 : 1).number(authenticator == null ? 0 : 1).bytes();
        }

        // Below: what the server takes over.

        List<MethodEntry> methods() {
            return methods;
        }

        MethodEntry.Body fallbackBody() {
            return fallback;
        }

        Executor executor() {
            return executor;
        }

        List<ServerInterceptor> interceptors() {
            return interceptors;
        }

        Authenticator authenticator() {
            return authenticator;
        }

        boolean panicText() {
            return !"false".equals(options.all().get("panic_text"));
        }

        int pollers() {
            int shards = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
            return pollers > 0 ? pollers : shards;
        }

        /** The bounded pool of a server without an executor of its user's; null when no handler needs one. */
        ExecutorService ownExecutor() {
            if (executor != null || methods.stream().allMatch(MethodEntry::async)) {
                return null;
            }
            int workers = number("worker_threads", 32);
            int queue = number("worker_queue", 4096);
            int pool = POOLS.incrementAndGet();
            AtomicInteger thread = new AtomicInteger();
            ThreadFactory factory = body -> {
                Thread worker = new Thread(body, "rpcx-worker-" + pool + "-" + thread.incrementAndGet());
                worker.setDaemon(true);
                return worker;
            };
            ThreadPoolExecutor made = new ThreadPoolExecutor(
                    workers, workers, 60, TimeUnit.SECONDS, new LinkedBlockingQueue<>(Math.max(1, queue)), factory);
            made.allowCoreThreadTimeOut(true);
            return made;
        }

        private int number(String option, int usual) {
            String given = options.all().get(option);
            return given != null && given.matches("\\d{1,8}") ? Math.max(1, Integer.parseInt(given)) : usual;
        }
    }
}
