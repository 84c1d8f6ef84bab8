// Calls of one service, for threads that wait.
package io.github.librpcx;

import io.github.librpcx.internal.Records;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * The methods of a {@link Service} for threads that wait for the reply: platform threads or virtual ones. Whatever fails throws an
 * {@link RpcException}. An interrupt ends the wait and cancels the call; the thread stays interrupted.
 */
public final class BlockingService {
    private final Service service;

    BlockingService(Service service) {
        this.service = service;
    }

    /**
     * Calls a method.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param <T> the reply's type
     * @return the reply
     * @throws RpcException when the call fails
     */
    public <T> T call(String method, Object argument, Class<T> reply) {
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
     * @throws RpcException when the call fails
     */
    public <T> T call(String method, Object argument, Class<T> reply, CallOptions options) {
        return value(new ClientCall(service.name(), method, argument, reply, options));
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
     * @throws RpcException when the call fails
     */
    public <T> T call(String method, Object argument, TypeRef<T> reply, CallOptions options) {
        return value(new ClientCall(service.name(), method, argument, reply.type(), options));
    }

    /**
     * Calls a method for its reply and what came beside it.
     *
     * @param kind to whom the call goes
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the response
     * @throws RpcException when the call fails
     */
    public <T> Response<T> request(CallKind kind, String method, Object argument, Class<T> reply, CallOptions options) {
        return await(service.request(kind, method, argument, reply, options));
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
     * @throws RpcException when the call fails
     */
    public <T> T broadcast(String method, Object argument, Class<T> reply, CallOptions options) {
        return await(service.broadcast(method, argument, reply, options));
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
     * @throws RpcException when the call fails
     */
    public <T> T fork(String method, Object argument, Class<T> reply, CallOptions options) {
        return await(service.fork(method, argument, reply, options));
    }

    /**
     * Calls a method of every server and tells what each answered, sorted by address.
     *
     * @param method its name
     * @param argument what to send
     * @param reply what to make of the replies
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the answers, failures among them
     * @throws RpcException when there is no server
     */
    public <T> List<ServerReply<T>> inform(String method, Object argument, Class<T> reply, CallOptions options) {
        return await(service.inform(method, argument, reply, options));
    }

    /**
     * Sends a request that is not answered; returns when a connection has taken it.
     *
     * @param method its name
     * @param argument what to send
     * @param options what this call wants otherwise than the client
     * @throws RpcException when it cannot be sent
     */
    public void oneway(String method, Object argument, CallOptions options) {
        await(service.oneway(method, argument, options));
    }

    /** Waits for the bytes and decodes them here: threads that wait have nothing else to do, the poller has. */
    <T> T value(ClientCall call) {
        if (service.hasInterceptors()) {
            return await(service.value(CallKind.CALL, call));
        }
        byte[] body = (byte[]) await(service.start(call, Records.KIND_CALL, Service.Shape.BYTES));
        Object value = service.reading(call, Service.Shape.VALUE).read(Records.REPLY, Records.over(body, 0, body.length));
        return BlockingService.cast(value);
    }

    /** Waits for a future of the service. */
    <T> T await(CompletableFuture<T> future) {
        if (service.core().isPoller() && !future.isDone()) {
            future.cancel(true);
            throw Failures.argument("a blocking call on the thread that hands out the replies would wait for itself: "
                    + "give the client an executor, or use the form with a future");
        }
        try {
            return future.get();
        } catch (InterruptedException e) {
            future.cancel(true);
            Thread.currentThread().interrupt();
            throw RpcException.of("cancelled.caller", "the thread was interrupted", Delivery.MAYBE_RUN, e);
        } catch (ExecutionException e) {
            throw Failures.thrown(e);
        }
    }

    /** The type that the codec was asked for. */
    @SuppressWarnings("unchecked")
    private static <T> T cast(Object value) {
        return (T) value;
    }
}
