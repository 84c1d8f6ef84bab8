// The client.
package io.github.librpcx;

import io.github.librpcx.internal.Writer;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * A client of any number of services. Make one, keep it, use it from any thread; nothing is connected before the first call.
 *
 * <pre>{@code
 * try (Client client = Client.open("tcp@127.0.0.1:8972")) {
 *     CompletableFuture<Reply> reply = client.service("Arith").call("Mul", new Args(6, 7), Reply.class);
 *     Arith arith = client.service(Arith.class);
 * }
 * }</pre>
 *
 * <p>A client that is not closed is closed when the collector finds that nobody uses it and no call is under way.
 */
public final class Client implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final ClientCore core;
    private final Cleaner.Cleanable cleanable;
    private final ClientInterceptor[] interceptors;

    private Client(Builder from) {
        Map<String, String> options = from.options.all();
        Writer config = new Writer().text(from.url).texts(from.nodes).number(options.size());
        options.forEach((name, value) -> config.text(name).text(value));
        config.number(from.threads);
        core = new ClientCore(
                config.bytes(), new CodecSet(from.codecs), from.options.serializeType(), from.executor);
        interceptors = from.interceptors.toArray(new ClientInterceptor[0]);
        ClientCore closing = core;
        cleanable = CLEANER.register(this, closing::close);
    }

    /**
     * A client with all defaults.
     *
     * @param discovery where it finds servers, as of {@link #builder(String)}
     * @return a client
     * @throws RpcException of kind {@link ErrorKind#CONFIG} for what is no address or URL
     */
    public static Client open(String discovery) {
        return builder(discovery).build();
    }

    /**
     * Begins a client.
     *
     * @param discovery where it finds servers: an address ({@code tcp@127.0.0.1:8972}) or the URL of a discovery
     *     ({@code multiple://…}, {@code dns://…})
     * @return a builder
     */
    public static Builder builder(String discovery) {
        return new Builder(Objects.requireNonNull(discovery, "discovery"), List.of());
    }

    /**
     * Begins a client of a list of servers.
     *
     * @param nodes their addresses, each with its metadata: {@code tcp@127.0.0.1:8972?weight=7}; may be empty, and may be replaced
     *     by {@link #setNodes}
     * @return a builder
     */
    public static Builder builder(List<String> nodes) {
        return new Builder(null, List.copyOf(nodes));
    }

    /**
     * A service by its path. Costs nothing; keep it or not.
     *
     * @param name the service path
     * @return the service
     */
    public Service service(String name) {
        return new Service(this, core, Objects.requireNonNull(name, "name"), interceptors);
    }

    /**
     * A service as an interface. Each method has at most one argument, and {@link CallOptions} beside it if wanted; one that
     * returns {@link java.util.concurrent.CompletionStage} or {@link CompletableFuture} starts a call, any other waits for it.
     * Names are as {@link RpcService} and {@link RpcMethod} tell.
     *
     * @param face the interface
     * @param <T> the interface
     * @return an implementation of it
     * @throws RpcException of kind {@link ErrorKind#CONFIG} for what cannot be called so
     */
    public <T> T service(Class<T> face) {
        return Proxies.make(service(Names.service(face)), face);
    }

    /**
     * Begins a batch of calls.
     *
     * @return an empty batch
     */
    public Batch batch() {
        return new Batch(this, core);
    }

    /**
     * Replaces the servers of a client that was made from a list of them.
     *
     * @param nodes their addresses, each with its metadata
     * @throws RpcException of kind {@link ErrorKind#CONFIG} for what is no address, and for other clients
     */
    public void setNodes(List<String> nodes) {
        core.setNodes(new Writer().texts(nodes).bytes());
    }

    /**
     * Has what servers push handed to a listener, on the thread that hands out the replies: it must not block.
     *
     * @param listener takes each message, until the client is closed
     */
    public void onPush(Consumer<Push> listener) {
        core.listen(Objects.requireNonNull(listener, "listener"));
    }

    /**
     * What servers push from now on, to be pulled.
     *
     * @return the messages; close it when it is no longer read
     */
    public Pushes pushes() {
        return core.pushes(this);
    }

    void forget(Pushes pushes) {
        core.forget(pushes);
    }

    /**
     * What the client has counted, as JSON.
     *
     * @return an object
     */
    public String statsJson() {
        return core.stats();
    }

    /**
     * The same as Prometheus reads it.
     *
     * @param name tells several clients apart
     * @return the text exposition format
     */
    public String metrics(String name) {
        return core.metrics(Objects.requireNonNull(name, "name"));
    }

    /**
     * Takes no new calls, waits for those under way, then closes.
     *
     * @param deadline at most so long
     * @return done when the client is closed; fails with kind {@link ErrorKind#TIMEOUT} when calls were cut off
     */
    public CompletableFuture<Void> shutdown(Duration deadline) {
        return core.shutdown(deadline);
    }

    /** Ends it at once: calls under way fail with kind {@link ErrorKind#CLOSED}. Never blocks; again does nothing. */
    @Override
    public void close() {
        cleanable.clean();
    }

    /** Builds a {@link Client}: options by their own methods, all of them by name. */
    public static final class Builder extends OptionBuilder<Builder> {
        private final String url;
        private final List<String> nodes;
        private final List<ClientInterceptor> interceptors = new ArrayList<>();
        private Executor executor;
        private int threads = 1;

        private Builder(String url, List<String> nodes) {
            this.url = url;
            this.nodes = nodes;
        }

        @Override
        Builder self() {
            return this;
        }

        /**
         * The time for a whole call, all attempts included.
         *
         * @param timeout 30 s unless given; zero: no deadline
         * @return this
         */
        public Builder timeout(Duration timeout) {
            return option("timeout", timeout);
        }

        /**
         * The time to open one connection, name look-up and TLS handshake included.
         *
         * @param timeout 1 s unless given
         * @return this
         */
        public Builder connectTimeout(Duration timeout) {
            return option("connect_timeout", timeout);
        }

        /**
         * How arguments and replies are encoded that are no messages of Protocol Buffers or Thrift.
         *
         * @param type MessagePack unless given
         * @return this
         */
        public Builder serializeType(SerializeType type) {
            return option("serialize_type", type.toString());
        }

        /**
         * How payloads are compressed.
         *
         * @param type none unless given
         * @return this
         */
        public Builder compressType(CompressType type) {
            return option("compress_type", type.toString());
        }

        /**
         * What to do when an attempt fails.
         *
         * @param mode failover unless given
         * @return this
         */
        public Builder failMode(FailMode mode) {
            return option("fail_mode", mode.toString());
        }

        /**
         * How the server of a call is selected.
         *
         * @param mode round robin unless given
         * @return this
         */
        public Builder selectMode(SelectMode mode) {
            return option("select_mode", mode.toString());
        }

        /**
         * Attempts after the first.
         *
         * @param retries 3 unless given
         * @return this
         */
        public Builder retries(int retries) {
            return option("retries", retries);
        }

        /**
         * The token for the servers' authenticator.
         *
         * @param token sent with every call
         * @return this
         */
        public Builder auth(String token) {
            return option("auth", token);
        }

        /**
         * Connections to each server.
         *
         * @param count 1 unless given
         * @return this
         */
        public Builder connections(int count) {
            return option("connections", count);
        }

        /**
         * Adds an interceptor around those that were added after it.
         *
         * @param interceptor runs once for each call
         * @return this
         */
        public Builder interceptor(ClientInterceptor interceptor) {
            interceptors.add(Objects.requireNonNull(interceptor, "interceptor"));
            return this;
        }

        /**
         * Where replies are decoded and futures completed. Unset: on the thread that hands out the replies, which is the fastest
         * and must never block.
         *
         * @param executor any, also one of virtual threads
         * @return this
         */
        public Builder executor(Executor executor) {
            this.executor = Objects.requireNonNull(executor, "executor");
            return this;
        }

        /**
         * The library's threads for this client's connections.
         *
         * @param count 1 unless given
         * @return this
         */
        public Builder threads(int count) {
            if (count < 1) {
                throw Failures.argument("threads: " + count + " is too few");
            }
            threads = count;
            return this;
        }

        /**
         * Makes the client.
         *
         * @return a client, which is not connected yet
         * @throws RpcException of kind {@link ErrorKind#CONFIG} for an option, address or URL that is none
         */
        public Client build() {
            return new Client(this);
        }
    }
}
