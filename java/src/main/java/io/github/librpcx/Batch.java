// Many calls handed over at once.
package io.github.librpcx;

import io.github.librpcx.internal.Command;
import io.github.librpcx.internal.Records;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Calls that are handed over together by {@link #send}, which costs less than one by one. Not for several threads. Interceptors do
 * not see these calls.
 */
public final class Batch {
    private final Client client;
    private final ClientCore core;
    private final ByteArrayOutputStream commands = new ByteArrayOutputStream();
    private final List<CompletableFuture<?>> futures = new ArrayList<>();

    Batch(Client client, ClientCore core) {
        this.client = client;
        this.core = core;
    }

    /**
     * Adds a call.
     *
     * @param service of this client
     * @param method its name
     * @param argument what to send; encoded at once
     * @param reply what to make of the reply
     * @param options what this call wants otherwise than the client
     * @param <T> the reply's type
     * @return the response, which comes only after {@link #send}
     */
    public <T> CompletableFuture<Response<T>> request(
            Service service, String method, Object argument, Class<T> reply, CallOptions options) {
        ClientCall call = new ClientCall(service.name(), method, argument, reply, options);
        List<CompletableFuture<Object>> made = new ArrayList<>(1);
        Command command;
        try {
            command = core.prepare(call, service.reading(call, Service.Shape.RESPONSE), client, made::add);
        } catch (RpcException e) {
            return CompletableFuture.failedFuture(e);
        }
        if (command != null) {
            byte[] bytes = new byte[command.size()];
            command.write(Records.over(bytes, 0, bytes.length));
            commands.writeBytes(bytes);
        }
        futures.add(made.get(0));
        return cast(made.get(0));
    }

    /**
     * Hands all calls over that were added since the last time.
     *
     * @return done when all of them have ended, however that was
     */
    public CompletableFuture<Void> send() {
        byte[] bytes = commands.toByteArray();
        commands.reset();
        core.submit(bytes);
        CompletableFuture<?>[] all = futures.toArray(new CompletableFuture<?>[0]);
        futures.clear();
        return CompletableFuture.allOf(all).handle((none, error) -> null);
    }

    /** The type that the codec was asked for. */
    @SuppressWarnings("unchecked")
    private static <T> CompletableFuture<Response<T>> cast(CompletableFuture<?> future) {
        return (CompletableFuture<Response<T>>) future;
    }
}
