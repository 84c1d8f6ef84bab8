// Every native method, in one class.
package io.github.librpcx.internal;

/**
 * The native library. A {@code channel} or {@code server} is a native object's address: whoever calls keeps the Java object that
 * owns it reachable until the call returns. All of them throw {@link NativeFailure}, none blocks but {@link #poll}, and
 * {@link #startServer} while it binds.
 *
 * <p>Commands and events are records of little-endian numbers and length-prefixed UTF-8; {@code bindings/java/src/wire.rs} has
 * the other half of {@link Records}.
 */
public final class Natives {
    static {
        NativeLibrary.load();
    }

    private Natives() {}

    /** The version of the library. */
    public static native String version();

    /** The tables of options, as JSON. */
    public static native String optionsJson();

    /** The table of errors, as JSON. */
    public static native String errorsJson();

    /** Threads for the library, and how they are named: for what is made from now on. */
    public static native void configure(int threads, String name);

    /** A new channel: a queue of events, and what its commands act on. */
    public static native long openChannel();

    /** Frees a channel that no thread uses and no event will come to. */
    public static native void freeChannel(long channel);

    /** Ends the queue: {@link #poll} hands out what is there and then says so. */
    public static native void endChannel(long channel);

    /** Carries out commands. */
    public static native void submit(long channel, byte[] commands, int used);

    /**
     * Carries out commands, then waits for events and writes as many as fit. An event that is large leaves only its head in
     * {@code events}; its body is a new array in {@code large}.
     *
     * @return the bytes written, or -1 when the queue has ended
     */
    public static native int poll(long channel, byte[] commands, int used, byte[] events, byte[][] large);

    /** Sends the events of the library's log to this channel; level 1 is error, 5 trace. */
    public static native void logTo(long channel, int level);

    /** Makes the client of a channel. */
    public static native void openClient(long channel, byte[] config);

    /** The number of a method in the commands of this channel. */
    public static native int method(long channel, String service, String method);

    /** Replaces the servers of a client that was made from a list. */
    public static native void setNodes(long channel, byte[] nodes);

    /** Lets the pushes of a client's servers come as events; at most so many that {@link Records#TAKEN} has not told of. */
    public static native void takePushes(long channel, int most);

    /** Statistics of the client, as JSON. */
    public static native String clientStats(long channel);

    /** Metrics of the client in Prometheus' text format. */
    public static native String clientMetrics(long channel, String name);

    /** Closes the client; its calls end by events. */
    public static native void closeClient(long channel);

    /** Closes the client after its running calls; an event with this ticket tells the end. */
    public static native void shutdownClient(long channel, long millis, long ticket);

    /** Starts a server whose requests go to these channels. */
    public static native long startServer(long[] channels, byte[] config);

    /** Frees a server. */
    public static native void freeServer(long server);

    /** The addresses that it listens on, one a line. */
    public static native String serverAddresses(long server);

    /** Handles of the connections of its clients, each to be freed. */
    public static native long[] connections(long server);

    /** Statistics of the server, as JSON. */
    public static native String serverStats(long server);

    /** Metrics of the server in Prometheus' text format. */
    public static native String serverMetrics(long server, String name);

    /** Replaces the metadata that registries tell of a service. */
    public static native void setServerMetadata(long server, String service, String text);

    /** Closes the server. */
    public static native void closeServer(long server);

    /** Closes the server after its running calls; an event of that channel with this ticket tells the end. */
    public static native void shutdownServer(long server, long channel, long millis, boolean keepRegistered, long ticket);

    /** Something about a request that is under way: {@link Records#ABOUT_PEER} and its like; null when it was answered. */
    public static native String about(long channel, long request, int what);

    /** Whether its caller has given a request up; false when it was answered. */
    public static native boolean isCancelled(long channel, long request);

    /** Asks for an event when the caller gives this request up; false when it was answered. */
    public static native boolean watch(long channel, long request);

    /** A handle of the connection that a request came by; 0 when it was answered. */
    public static native long connection(long channel, long request);

    /** Sends a message on a connection. */
    public static native void push(long connection, byte[] message);

    /** Something about a connection: {@link Records#ABOUT_PEER}. */
    public static native String aboutConnection(long connection, int what);

    /** The number of a connection. */
    public static native long connectionId(long connection);

    /** Whether a connection is open. */
    public static native boolean isOpen(long connection);

    /** Closes a connection. */
    public static native void closeConnection(long connection);

    /** Frees a handle of a connection. */
    public static native void freeConnection(long connection);
}
