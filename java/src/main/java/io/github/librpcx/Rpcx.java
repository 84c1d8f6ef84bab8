// The library as a whole.
package io.github.librpcx;

import io.github.librpcx.internal.NativeFailure;
import io.github.librpcx.internal.Natives;

/** The library as a whole: its version, its tables, its threads. */
public final class Rpcx {
    private Rpcx() {}

    /**
     * The version of the library.
     *
     * @return the version, such as {@code 0.1.0}
     */
    public static String version() {
        return Natives.version();
    }

    /**
     * Every option with its type, range, default and meaning.
     *
     * @return a JSON list
     */
    public static String optionsJson() {
        return Natives.optionsJson();
    }

    /**
     * Every kind of error with its number, its reasons, and the delivery states.
     *
     * @return a JSON object
     */
    public static String errorsJson() {
        return Natives.errorsJson();
    }

    /**
     * Looks again at which levels the loggers under {@code rpcx} take. They are asked when the first client or server is made;
     * call this when they have changed since.
     */
    public static void refreshLogging() {
        Logs.refresh();
    }

    /**
     * The native threads that carry connections, for clients and servers made from now on.
     *
     * @param threads at least so many; 0: as many as the handles ask for
     * @param name how their names begin; null: the library's own
     * @throws RpcException of kind {@link ErrorKind#CONFIG} for a name that cannot be one
     */
    public static void configure(int threads, String name) {
        try {
            Natives.configure(threads, name);
        } catch (NativeFailure e) {
            throw RpcException.of("config.bad_argument", e.getMessage(), Delivery.NOT_SENT, e);
        }
    }
}
