// What a client's calls go through.
package io.github.librpcx;

import io.github.librpcx.internal.Channel;
import io.github.librpcx.internal.Command;
import io.github.librpcx.internal.Natives;
import io.github.librpcx.internal.Records;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * The client behind {@link Client}, which the poller holds as long as it runs; so that a forgotten {@link Client} can be collected
 * and closed, nothing here refers to it but calls under way.
 */
final class ClientCore implements Channel.Sink {
    private static final AtomicInteger COUNT = new AtomicInteger();
    /** Pushes on their way through Java; what does not fit waits in the client, within its limits. */
    private static final int MOST_PUSHES = 64;
    private static final System.Logger LOG = System.getLogger("rpcx");

    private final Channel channel;
    private final Tickets tickets = new Tickets();
    private final CodecSet codecs;
    private final SerializeType usual;
    private final Executor executor;
    private final Map<MethodName, Integer> methods = new ConcurrentHashMap<>();
    private final List<Consumer<Push>> listeners = new CopyOnWriteArrayList<>();
    private final List<Pushes> pulls = new CopyOnWriteArrayList<>();
    private boolean takesPushes;

    record MethodName(String service, String method) {}

    ClientCore(byte[] config, CodecSet codecs, SerializeType usual, Executor executor) {
        Logs.start();
        this.codecs = codecs;
        this.usual = usual;
        this.executor = executor;
        this.channel = new Channel("rpcx-client-" + COUNT.incrementAndGet(), this);
        Failures.act(channel, address -> Natives.openClient(address, config));
        channel.start();
    }

    CodecSet codecs() {
        return codecs;
    }

    /** Whether this thread hands out this client's replies, so that waiting for one here would never end. */
    boolean isPoller() {
        return channel.isPoller();
    }

    private int method(String service, String method) {
        MethodName name = new MethodName(service, method);
        Integer number = methods.get(name);
        if (number == null) {
            number = Failures.ask(channel, address -> Natives.method(address, service, method));
            methods.put(name, number);
        }
        return number;
    }

    /** How this call is encoded. */
    SerializeType serializeType(ClientCall call) {
        SerializeType given = call.options().serializeType();
        return given != null ? given : codecs.typeOf(call.argument(), call.replyType(), usual);
    }

    /** Starts a call, or fails it at once. */
    <T> CompletableFuture<T> start(ClientCall call, int kind, CallFuture.Reading<T> reading, boolean inPlace, Object owner) {
        CallFuture<T> future = new CallFuture<>(channel, reading, inPlace ? null : executor, owner);
        long ticket = Tickets.NONE;
        try {
            CallCommand command = command(call, kind);
            ticket = enter(future);
            if (ticket != Tickets.NONE) {
                command.ticket = ticket;
                channel.send(command);
            }
        } catch (RuntimeException e) {
            if (ticket != Tickets.NONE) {
                tickets.take(ticket);
            }
            future.lost(e instanceof RpcException failure ? failure : Failures.argument(String.valueOf(e)));
        }
        return future;
    }

    private long enter(CallFuture<?> future) {
        long ticket = tickets.add(future);
        if (ticket == Tickets.NONE) {
            future.lost(Failures.closed("the client is closed"));
        } else {
            future.ticket(ticket);
        }
        return ticket;
    }

    /** A call for a {@link Batch}: its command, with its ticket. */
    <T> Command prepare(ClientCall call, CallFuture.Reading<T> reading, Object owner, Consumer<CompletableFuture<T>> made) {
        CallFuture<T> future = new CallFuture<>(channel, reading, executor, owner);
        made.accept(future);
        try {
            CallCommand command = command(call, Records.KIND_CALL);
            command.ticket = enter(future);
            return command.ticket == Tickets.NONE ? null : command;
        } catch (RpcException e) {
            future.lost(e);
            return null;
        }
    }

    /** Hands commands over that were written one after the other. */
    void submit(byte[] commands) {
        channel.submit(commands, commands.length);
    }

    private CallCommand command(ClientCall call, int kind) {
        SerializeType type = serializeType(call);
        CallOptions options = call.options();
        Context parent = options.lineage();
        byte[] lineage = parent == null ? null : parent.lineage();
        return new CallCommand(
                kind, type.number(), method(call.service(), call.method()), options, lineage, codecs.encode(type, call.argument()));
    }

    void setNodes(byte[] nodes) {
        Failures.act(channel, address -> Natives.setNodes(address, nodes));
    }

    String stats() {
        return Failures.ask(channel, Natives::clientStats);
    }

    String metrics(String name) {
        return Failures.ask(channel, address -> Natives.clientMetrics(address, name));
    }

    void listen(Consumer<Push> listener) {
        listeners.add(listener);
        takePushes();
    }

    Pushes pushes(Client client) {
        Pushes pull = new Pushes(client);
        // Before the first one is taken: those that came earlier have waited for it.
        pulls.add(pull);
        takePushes();
        return pull;
    }

    void forget(Pushes pull) {
        pulls.remove(pull);
    }

    private synchronized void takePushes() {
        if (!takesPushes) {
            Failures.act(channel, address -> Natives.takePushes(address, MOST_PUSHES));
            takesPushes = true;
        }
    }

    CompletableFuture<Void> shutdown(Duration deadline) {
        CallFuture<Void> future = new CallFuture<>(channel, (type, body) -> null, null, this);
        long ticket = tickets.add(future);
        if (ticket == Tickets.NONE) {
            return CompletableFuture.completedFuture(null);
        }
        Failures.act(channel, address -> Natives.shutdownClient(address, deadline.toMillis(), ticket));
        return future.whenComplete((none, error) -> close());
    }

    void close() {
        tickets.close();
        Failures.act(channel, Natives::closeClient);
        endIfOver();
    }

    private void endIfOver() {
        if (tickets.isOver()) {
            channel.end();
        }
    }

    @Override
    public void event(int type, int flags, long id, ByteBuffer body) {
        switch (type) {
            case Records.REPLY, Records.DONE, Records.INFORM -> {
                Tickets.Waiting waiting = tickets.take(id);
                try {
                    if (waiting != null) {
                        waiting.told(type, flags, body);
                    }
                } finally {
                    endIfOver();
                }
            }
            case Records.PUSH -> pushed(body);
            case Records.PUSHES_END -> pulls.forEach(Pushes::end);
            default -> LOG.log(System.Logger.Level.ERROR, "an event of type " + type + " came to a client");
        }
    }

    private void pushed(ByteBuffer body) {
        String service = Records.text(body);
        String method = Records.text(body);
        Map<String, String> metadata = Map.copyOf(Records.pairs(body));
        Push push = new Push(service, method, metadata, Records.rest(body));
        List<Pushes> takers = List.copyOf(pulls);
        // One more: this, so that it is over at the earliest when the listeners have heard it.
        Pushes.Offer offer = new Pushes.Offer(push, takers.size() + 1, this::taken);
        takers.forEach(pull -> pull.put(offer));
        for (Consumer<Push> listener : listeners) {
            try {
                listener.accept(push);
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "a listener for pushes failed", e);
            }
        }
        offer.take();
    }

    /** A push was taken by all: another one may come. */
    private void taken() {
        channel.send(Taken.ONE);
    }

    private record Taken(int count) implements Command {
        private static final Taken ONE = new Taken(1);
        private static final int SIZE = 12;

        @Override
        public int size() {
            return SIZE;
        }

        @Override
        public void write(ByteBuffer out) {
            out.putInt(SIZE).putInt(Records.TAKEN).putInt(count);
        }
    }

    @Override
    public void ended() {
        RpcException why = Failures.closed("the client is closed");
        tickets.drain().forEach(waiting -> waiting.lost(why));
        pulls.forEach(Pushes::end);
    }
}
