// The one exception of the library, with a class for each kind.
package io.github.librpcx;

import java.util.Objects;

/**
 * A failure of a call, a client or a server. It is unchecked, and there is a class for each {@link ErrorKind}, so that one kind
 * can be caught by itself:
 *
 * <pre>{@code
 * try {
 *     reply = arith.call("Mul", args, Reply.class);
 * } catch (RpcException.Timeout e) {
 *     retryLater(e.delivery());
 * }
 * }</pre>
 *
 * <p>The text is for people and may change; decide by {@link #kind()}, {@link #reason()} and {@link #delivery()}. A handler of a
 * server throws {@link #service(String)} to answer with words of its own.
 */
public class RpcException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What sort of failure it is. */
    private final ErrorKind kind;
    /** Its stable name, {@code <kind>.<reason>}. */
    private final String reason;
    /** Whether the handler may have run. */
    private final Delivery delivery;
    /** How often the call was tried. */
    private final int attempts;
    /** The server that it was last tried on, or null. */
    private final String server;

    private RpcException(Fields fields, boolean trace) {
        super(fields.message, fields.cause, true, trace);
        this.kind = fields.kind;
        this.reason = fields.reason;
        this.delivery = fields.delivery;
        this.attempts = fields.attempts;
        this.server = fields.server;
    }

    /**
     * The error that a handler answers with: the caller reads exactly these words, as kind {@link ErrorKind#SERVICE}.
     *
     * @param words what the caller is told
     * @return an exception to throw, or to complete a future with
     */
    public static RpcException service(String words) {
        return of("service.error", words, Delivery.ANSWERED, null);
    }

    /**
     * A failure by its parts, as the library makes them: for interceptors and tests.
     *
     * @param reason a name of the table in {@code docs/ERRORS.md}, such as {@code timeout.call}
     * @param message the text
     * @param delivery what a retry may assume
     * @param cause what is behind it, or null
     * @return an exception of the class of the reason's kind
     */
    public static RpcException of(String reason, String message, Delivery delivery, Throwable cause) {
        return make(new Fields(ErrorKind.ofReason(reason), reason, message, delivery, 0, null, cause), true);
    }

    /** What the native side told of a failure, without a stack trace, since the stack of the thread that reads it tells nothing. */
    static RpcException told(String reason, String message, Delivery delivery, int attempts, String server) {
        return make(new Fields(ErrorKind.ofReason(reason), reason, message, delivery, attempts, server, null), false);
    }

    /** The same failure with the stack of this thread, which waited for it. */
    RpcException here() {
        return make(new Fields(kind, reason, getMessage(), delivery, attempts, server, getCause()), true);
    }

    /** The same failure, of a call that went to that server. */
    RpcException at(String where, int tried) {
        return make(new Fields(kind, reason, getMessage(), delivery, tried, where, getCause()), true);
    }

    /**
     * What kind of failure this is.
     *
     * @return the kind
     */
    public ErrorKind kind() {
        return kind;
    }

    /**
     * The number of the kind, the same in every language.
     *
     * @return the number
     */
    public int code() {
        return kind.code();
    }

    /**
     * Why exactly: a stable name within the kind, such as {@code limit.max_message_size}.
     *
     * @return the name
     */
    public String reason() {
        return reason;
    }

    /**
     * Whether the request left and a handler may have run.
     *
     * @return what a retry may assume
     */
    public Delivery delivery() {
        return delivery;
    }

    /**
     * How many attempts were made, failed dials included; 0 when the call never got so far.
     *
     * @return the number of attempts
     */
    public int attempts() {
        return attempts;
    }

    /**
     * The server of the last attempt, as the discovery spells it.
     *
     * @return the address, or null when none was selected
     */
    public String server() {
        return server;
    }

    private static RpcException make(Fields fields, boolean trace) {
        return switch (fields.kind) {
            case CONFIG -> new Config(fields, trace);
            case CONNECT -> new Connect(fields, trace);
            case NO_SERVER -> new NoServer(fields, trace);
            case TIMEOUT -> new Timeout(fields, trace);
            case SERVICE -> new Service(fields, trace);
            case CANCELLED -> new Cancelled(fields, trace);
            case OVERLOAD -> new Overload(fields, trace);
            case PROTOCOL -> new Protocol(fields, trace);
            case CODEC -> new Codec(fields, trace);
            case LIMIT -> new Limit(fields, trace);
            case AUTH -> new Auth(fields, trace);
            case CLOSED -> new Closed(fields, trace);
            case SHUTTING_DOWN -> new ShuttingDown(fields, trace);
            case UNSUPPORTED -> new Unsupported(fields, trace);
            case INTERNAL -> new Internal(fields, trace);
        };
    }

    private record Fields(
            ErrorKind kind, String reason, String message, Delivery delivery, int attempts, String server, Throwable cause) {
        private Fields {
            Objects.requireNonNull(reason, "reason");
            Objects.requireNonNull(delivery, "delivery");
        }
    }

    /** An argument or option is wrong; the text names it. */
    public static final class Config extends RpcException {
        private static final long serialVersionUID = 1L;

        private Config(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** No connection could be opened. */
    public static final class Connect extends RpcException {
        private static final long serialVersionUID = 1L;

        private Connect(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The discovery or the selector had no server to offer. */
    public static final class NoServer extends RpcException {
        private static final long serialVersionUID = 1L;

        private NoServer(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** A deadline passed. */
    public static final class Timeout extends RpcException {
        private static final long serialVersionUID = 1L;

        private Timeout(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The service itself answered with an error, whose text this is. */
    public static final class Service extends RpcException {
        private static final long serialVersionUID = 1L;

        private Service(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The caller gave the call up. */
    public static final class Cancelled extends RpcException {
        private static final long serialVersionUID = 1L;

        private Cancelled(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** A queue or a limit of calls under way is full, here or on the server. */
    public static final class Overload extends RpcException {
        private static final long serialVersionUID = 1L;

        private Overload(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The peer sent something that is no rpcx. */
    public static final class Protocol extends RpcException {
        private static final long serialVersionUID = 1L;

        private Protocol(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** A value could not be encoded or decoded. */
    public static final class Codec extends RpcException {
        private static final long serialVersionUID = 1L;

        private Codec(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** A message is larger than a limit allows. */
    public static final class Limit extends RpcException {
        private static final long serialVersionUID = 1L;

        private Limit(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The server refused the token. */
    public static final class Auth extends RpcException {
        private static final long serialVersionUID = 1L;

        private Auth(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The connection, client or server was closed. */
    public static final class Closed extends RpcException {
        private static final long serialVersionUID = 1L;

        private Closed(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** The server takes no further calls. */
    public static final class ShuttingDown extends RpcException {
        private static final long serialVersionUID = 1L;

        private ShuttingDown(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** This build or that peer cannot do it. */
    public static final class Unsupported extends RpcException {
        private static final long serialVersionUID = 1L;

        private Unsupported(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }

    /** A broken invariant of the library: please report it. */
    public static final class Internal extends RpcException {
        private static final long serialVersionUID = 1L;

        private Internal(Fields fields, boolean trace) {
            super(fields, trace);
        }
    }
}
