// The kinds of failures, with their numbers.
package io.github.librpcx;

import java.util.Locale;

/** What kind of failure an {@link RpcException} is. The numbers are the same in every language and never change. */
public enum ErrorKind {
    /** An argument or option is wrong; the text names it. */
    CONFIG(1),
    /** No connection could be opened. */
    CONNECT(2),
    /** The discovery or the selector had no server to offer. */
    NO_SERVER(3),
    /** A deadline passed. */
    TIMEOUT(4),
    /** The service itself answered with an error, whose text this is. */
    SERVICE(5),
    /** The caller gave the call up. */
    CANCELLED(6),
    /** A queue or a limit of calls under way is full, here or on the server. */
    OVERLOAD(7),
    /** The peer sent something that is no rpcx. */
    PROTOCOL(8),
    /** A value could not be encoded or decoded. */
    CODEC(9),
    /** A message is larger than a limit allows. */
    LIMIT(10),
    /** The server refused the token. */
    AUTH(11),
    /** The connection, client or server was closed. */
    CLOSED(12),
    /** The server takes no further calls. */
    SHUTTING_DOWN(13),
    /** This build or that peer cannot do it. */
    UNSUPPORTED(14),
    /** A broken invariant of the library: please report it. */
    INTERNAL(99);

    private static final ErrorKind[] KINDS = values();

    private final int code;
    private final String text;

    ErrorKind(int code) {
        this.code = code;
        this.text = name().toLowerCase(Locale.ROOT);
    }

    /**
     * The number of the kind.
     *
     * @return the number
     */
    public int code() {
        return code;
    }

    /** The name in all languages of the library, such as {@code no_server}. */
    @Override
    public String toString() {
        return text;
    }

    /** The kind that a reason such as {@code limit.max_message_size} belongs to. */
    static ErrorKind ofReason(String reason) {
        int dot = reason.indexOf('.');
        String kind = dot < 0 ? reason : reason.substring(0, dot);
        for (ErrorKind one : KINDS) {
            if (one.text.equals(kind)) {
                return one;
            }
        }
        return INTERNAL;
    }
}
