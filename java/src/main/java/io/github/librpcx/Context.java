// The request that a handler answers.
package io.github.librpcx;

import io.github.librpcx.internal.Natives;
import io.github.librpcx.internal.Records;
import io.github.librpcx.internal.Writer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;

/**
 * The request that a handler answers: who asks, with which metadata, until when. It may be used from any thread; what the connection
 * knows ({@link #peer}, {@link #tlsSubject}, {@link #connection}) only until the answer was given.
 */
public final class Context {
    private static final ThreadLocal<Context> CURRENT = new ThreadLocal<>();
    private static final long NO_DEADLINE = -1;
    private static final byte[] NO_PAIRS = {0, 0, 0, 0};

    private final ServerCore server;
    private final int lane;
    private final long id;
    private final String service;
    private final String method;
    private final SerializeType serializeType;
    private final boolean oneway;
    private final boolean hasDeadline;
    private final long deadline;
    private final byte[] pairs;

    private Map<String, String> metadata;
    private Map<String, String> response;

    Context(
            ServerCore server, int lane, long id, String service, String method,
            SerializeType serializeType, boolean oneway, long remaining, byte[] pairs) {
        this.server = server;
        this.lane = lane;
        this.id = id;
        this.service = service;
        this.method = method;
        this.serializeType = serializeType;
        this.oneway = oneway;
        this.hasDeadline = remaining != NO_DEADLINE;
        this.deadline = hasDeadline ? System.nanoTime() + remaining : 0;
        this.pairs = pairs;
    }

    /**
     * The request whose handler runs on this thread.
     *
     * @return the request, or null
     */
    public static Context current() {
        return CURRENT.get();
    }

    /**
     * The service path asked for; what it stands for, if that was an alias.
     *
     * @return the name
     */
    public String service() {
        return service;
    }

    /**
     * The method asked for; what it stands for, if that was an alias.
     *
     * @return the name
     */
    public String method() {
        return method;
    }

    /**
     * How the argument is encoded, and the reply will be.
     *
     * @return the serialize type
     */
    public SerializeType serializeType() {
        return serializeType;
    }

    /**
     * Whether the caller waits for no answer.
     *
     * @return whether it does not
     */
    public boolean isOneway() {
        return oneway;
    }

    /**
     * The request's metadata; keys that begin with {@code __} are the protocol's own.
     *
     * @return an unmodifiable map
     */
    public Map<String, String> metadata() {
        synchronized (this) {
            if (metadata == null) {
                metadata = pairs == null ? Map.of() : Map.copyOf(Records.pairs(Records.over(pairs, 0, pairs.length)));
            }
            return metadata;
        }
    }

    /**
     * What is left until the caller stops waiting.
     *
     * @return the time, zero when it has passed, or empty when there is no deadline
     */
    public Optional<Duration> remaining() {
        return hasDeadline ? Optional.of(Duration.ofNanos(Math.max(0, deadline - System.nanoTime()))) : Optional.empty();
    }

    /**
     * Whether nobody waits any more: the caller has cancelled, its deadline has passed, or its connection has ended.
     *
     * @return whether it is so
     */
    public boolean isCancelled() {
        return Failures.ask(server.channel(lane), address -> Natives.isCancelled(address, id));
    }

    /**
     * Runs something when nobody waits for the answer any more; at once if that is so already, never once the answer was given.
     * It runs on a thread of the server that must not be blocked.
     *
     * @param action what to run
     */
    public void onCancel(Runnable action) {
        server.watch(lane, id, action);
    }

    /**
     * The caller's address: {@code host:port}, or the path of a Unix socket, which may be empty.
     *
     * @return the address
     * @throws RpcException of kind {@link ErrorKind#CLOSED} when the answer was given
     */
    public String peer() {
        return about(Records.ABOUT_PEER);
    }

    /**
     * The subject of the caller's TLS certificate, as RFC 4514 writes it.
     *
     * @return the subject, or empty when there is none
     * @throws RpcException of kind {@link ErrorKind#CLOSED} when the answer was given
     */
    public Optional<String> tlsSubject() {
        String subject = about(Records.ABOUT_TLS);
        return subject.isEmpty() ? Optional.empty() : Optional.of(subject);
    }

    private String about(int what) {
        String text = Failures.ask(server.channel(lane), address -> Natives.about(address, id, what));
        if (text == null) {
            throw Failures.closed("the request was answered already");
        }
        return text;
    }

    /**
     * The connection that the request came by: to push to, or to close. It may be kept longer than the request.
     *
     * @return the connection
     * @throws RpcException of kind {@link ErrorKind#CLOSED} when the answer was given
     */
    public Connection connection() {
        long connection = Failures.ask(server.channel(lane), address -> Natives.connection(address, id));
        if (connection == 0) {
            throw Failures.closed("the request was answered already");
        }
        return new Connection(connection);
    }

    /**
     * Sends a message to the caller's client, before the answer.
     *
     * @param pushService the service path that it names
     * @param pushMethod the method that it names
     * @param payload its payload
     * @param pushMetadata its metadata
     * @throws RpcException when too many wait, or the connection has ended
     */
    public void push(String pushService, String pushMethod, byte[] payload, Map<String, String> pushMetadata) {
        connection().push(pushService, pushMethod, payload, pushMetadata);
    }

    /**
     * Adds a pair to the answer's metadata; after the answer it does nothing.
     *
     * @param key its key
     * @param value its value
     */
    public void setMetadata(String key, String value) {
        synchronized (this) {
            if (response == null) {
                response = new LinkedHashMap<>();
            }
            response.put(key, value);
        }
    }

    /**
     * Runs something as part of this request: calls that it makes inherit deadline and trace keys.
     *
     * @param action what to run
     */
    public void run(Runnable action) {
        Context outer = CURRENT.get();
        CURRENT.set(this);
        try {
            action.run();
        } finally {
            CURRENT.set(outer);
        }
    }

    /**
     * Lets something that another thread runs later be part of this request.
     *
     * @param action what will be run
     * @return the same, inside of this request
     */
    public Runnable wrap(Runnable action) {
        return () -> run(action);
    }

    /**
     * As {@link #wrap(Runnable)}, for what has a result.
     *
     * @param action what will be run
     * @param <T> the result's type
     * @return the same, inside of this request
     */
    public <T> Callable<T> wrap(Callable<T> action) {
        return () -> call(action);
    }

    <T> T call(Callable<T> action) throws Exception {
        Context outer = CURRENT.get();
        CURRENT.set(this);
        try {
            return action.call();
        } finally {
            CURRENT.set(outer);
        }
    }

    // Below: what the server and nested calls need.

    int lane() {
        return lane;
    }

    long id() {
        return id;
    }

    /** What was added to the answer's metadata, as it crosses. */
    byte[] responsePairs() {
        synchronized (this) {
            return response == null ? NO_PAIRS : Records.pairs(response);
        }
    }

    /** What a nested call inherits, as it crosses: what is left of the deadline, and the metadata; null for nothing. */
    byte[] lineage() {
        if (!hasDeadline && pairs == null) {
            return null;
        }
        Map<String, String> handed = new LinkedHashMap<>();
        metadata().forEach((key, value) -> {
            if (!key.startsWith("__")) {
                handed.put(key, value);
            }
        });
        long left = hasDeadline ? Math.max(0, deadline - System.nanoTime()) : NO_DEADLINE;
        return new Writer().number((int) left).number((int) (left >>> 32)).raw(Records.pairs(handed)).bytes();
    }
}
