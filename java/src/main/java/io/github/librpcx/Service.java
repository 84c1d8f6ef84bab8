// Calls of one service, by futures.
package io.github.librpcx;

import io.github.librpcx.internal.Records;
import java.lang.reflect.Type;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The methods of one service, to be called from any thread. Nothing here blocks or throws: whatever fails fails the future, with
 * an {@link RpcException}. Cancelling the future cancels the call.
 *
 * <p>What depends on a future runs on the thread that hands out the client's replies, unless the client has an executor: it must
 * not block there. {@link #blocking} is the same for threads that wait.
 */
public final class Service {
    private final Client client;
    private final ClientCore core;
    private final String name;
    private final ClientInterceptor[] interceptors;

    Service(Client client, ClientCore core, String name, ClientInterceptor[] interceptors) {
        this.client = client;
        this.core = core;
        this.name = name;
        this.interceptors = interceptors;
    }

    /**
     * The service path.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * The same methods for a thread that waits for the reply.
     *
     * @return a view of this service
     */
    public BlockingService blocking() {
        return new BlockingService(this);
    }

    /**
     * Calls a method.
     *
     * @param method its name
     * @param argument what to send: a record, an object of fields, a map, a message of Protocol Buffers, a Thrift struct, or bytes
     * @param reply what to make of the reply
     * @param <T> the reply's type
     * @return the reply
     */
    public <T> CompletableFuture<T> call(String method, Object argument, Class<T> reply) {
        return call(method, argument, reply, CallOptions.DEFAULT);
    }

    /**
     * Calls a method, with options.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the reply
     */
    public <T> CompletableFuture<T> call(String method, Object argument, Class<T> reply, CallOptions options) {
        return value(CallKind.CALL, new ClientCall(name, method, argument, reply, options));
    }

    /**
     * Calls a method whose reply has type parameters.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the reply
     */
    public <T> CompletableFuture<T> call(String method, Object argument, TypeRef<T> reply, CallOptions options) {
        return value(CallKind.CALL, new ClientCall(name, method, argument, reply.type(), options));
    }

    /**
     * Calls a method for its reply and what came beside it: metadata, server, attempts.
     *
     * @param kind to whom the call goes
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the response
     */
    public <T> CompletableFuture<Response<T>> request(
            CallKind kind, String method, Object argument, Class<T> reply, CallOptions options) {
        return response(kind, new ClientCall(name, method, argument, reply, options));
    }

    /**
     * Calls a method of every server; fails when one of them fails.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the first reply
     */
    public <T> CompletableFuture<T> broadcast(String method, Object argument, Class<T> reply, CallOptions options) {
        return value(CallKind.BROADCAST, new ClientCall(name, method, argument, reply, options));
    }

    /**
     * Calls a method of every server and takes the first good reply.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the first good reply
     */
    public <T> CompletableFuture<T> fork(String method, Object argument, Class<T> reply, CallOptions options) {
        return value(CallKind.FORK, new ClientCall(name, method, argument, reply, options));
    }

    /**
     * Calls a method of every server and tells what each answered, sorted by address.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the replies
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the answers, failures among them; it fails itself when there is no server
     */
    public <T> CompletableFuture<List<ServerReply<T>>> inform(
            String method, Object argument, Class<T> reply, CallOptions options) {
        ClientCall call = new ClientCall(name, method, argument, reply, options);
        if (interceptors.length == 0) {
            return cast(start(call, Records.KIND_INFORM, Shape.VALUE));
        }
        return cast(intercepted(call, Records.KIND_INFORM).thenApply(Response::value));
    }

    /**
     * Sends a request that is not answered.
     *
     * @param method its name
     * @param argument what to send
     * @param options what this call wants otherwise than the client
     * @return done when a connection has taken it
     */
    public CompletableFuture<Void> oneway(String method, Object argument, CallOptions options) {
        return nothing(Records.KIND_ONEWAY, new ClientCall(name, method, argument, Void.class, options));
    }

    /**
     * Sends a request that is not answered, without waiting for a connection: what fails later is only logged.
     *
     * @param method its name
     * @param argument what to send
     * @param options what this call wants otherwise than the client
     * @return done at once
     */
    public CompletableFuture<Void> oneshot(String method, Object argument, CallOptions options) {
        return nothing(Records.KIND_ONESHOT, new ClientCall(name, method, argument, Void.class, options));
    }

    // Below: how calls are started, for this class and its views.

    /** What is made of a reply. */
    enum Shape { VALUE, RESPONSE, BYTES }

    ClientCore core() {
        return core;
    }

    boolean hasInterceptors() {
        return interceptors.length > 0;
    }

    <T> CompletableFuture<T> value(CallKind kind, ClientCall call) {
        if (interceptors.length == 0) {
            return cast(start(call, kind.number(), Shape.VALUE));
        }
        return cast(intercepted(call, kind.number()).thenApply(Response::value));
    }

    <T> CompletableFuture<Response<T>> response(CallKind kind, ClientCall call) {
        return cast(interceptors.length == 0 ? start(call, kind.number(), Shape.RESPONSE) : intercepted(call, kind.number()));
    }

    CompletableFuture<Void> nothing(int kind, ClientCall call) {
        if (interceptors.length == 0) {
            return cast(start(call, kind, Shape.VALUE));
        }
        return cast(intercepted(call, kind).thenApply(Response::value));
    }

    /** A call by itself. */
    CompletableFuture<Object> start(ClientCall call, int kind, Shape shape) {
        CallFuture.Reading<Object> reading = shape == Shape.BYTES ? (type, body) -> Records.rest(body) : reading(call, shape);
        return core.start(call, kind, reading, shape == Shape.BYTES, client);
    }

    /** Reads the reply to a call. */
    CallFuture.Reading<Object> reading(ClientCall call, Shape shape) {
        CodecSet codecs = core.codecs();
        SerializeType serialize = core.serializeType(call);
        Type into = call.replyType();
        return (type, body) -> switch (type) {
            case Records.REPLY -> shape == Shape.VALUE
                    ? Replies.value(codecs, serialize, into, body)
                    : Replies.response(codecs, serialize, into, body);
            case Records.INFORM -> Replies.inform(codecs, serialize, into, body);
            default -> null;
        };
    }

    /** A call with the interceptors around it, each running once. */
    private CompletableFuture<Response<?>> intercepted(ClientCall call, int kind) {
        Chain chain = new Chain(kind, 0);
        Outer outer = new Outer();
        try {
            chain.proceed(call).whenComplete((response, error) -> outer.end(response, error));
        } catch (RuntimeException e) {
            outer.completeExceptionally(e);
        }
        outer.inner = chain;
        return outer;
    }

    /** The future of an intercepted call: ending it ends what was started for it. */
    private static final class Outer extends CompletableFuture<Response<?>> {
        private volatile Chain inner;

        void end(Response<?> response, Throwable error) {
            if (error == null) {
                super.complete(response);
            } else {
                super.completeExceptionally(Failures.cause(error));
            }
        }

        @Override
        public boolean cancel(boolean interrupt) {
            boolean cancelled = super.cancel(interrupt);
            Chain chain = inner;
            if (cancelled && chain != null) {
                chain.cancel();
            }
            return cancelled;
        }

        @Override
        public <U> CompletableFuture<U> newIncompleteFuture() {
            return new Dependent<>(this);
        }
    }

    /** The value of an intercepted call: cancelling it cancels the call. */
    private static final class Dependent<U> extends CompletableFuture<U> {
        private final Outer outer;

        Dependent(Outer outer) {
            this.outer = outer;
        }

        @Override
        public boolean cancel(boolean interrupt) {
            outer.cancel(interrupt);
            return super.cancel(interrupt);
        }

        @Override
        public <V> CompletableFuture<V> newIncompleteFuture() {
            return new CompletableFuture<>();
        }
    }

    /** The interceptors from one on, then the call. */
    private final class Chain implements ClientInterceptor.Next {
        private final int kind;
        private final int index;
        private volatile Chain after;
        private volatile CompletableFuture<?> running;

        Chain(int kind, int index) {
            this.kind = kind;
            this.index = index;
        }

        @Override
        public CompletionStage<? extends Response<?>> proceed(ClientCall call) {
            if (index < interceptors.length) {
                after = new Chain(kind, index + 1);
                return interceptors[index].intercept(call, after);
            }
            CompletableFuture<Object> started = start(call, kind, Shape.RESPONSE);
            running = started;
            return started.thenApply(result ->
                    result instanceof Response<?> response ? response : new Response<>(result, Map.of(), null, 0));
        }

        void cancel() {
            Chain next = after;
            if (next != null) {
                next.cancel();
            }
            CompletableFuture<?> call = running;
            if (call != null) {
                call.cancel(true);
            }
        }
    }

    /** The type that the codec was asked for. */
    @SuppressWarnings("unchecked")
    private static <T> CompletableFuture<T> cast(CompletableFuture<?> future) {
        return (CompletableFuture<T>) future;
    }
}
