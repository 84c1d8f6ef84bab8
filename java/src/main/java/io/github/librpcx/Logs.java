// The library's log in the host's own logging.
package io.github.librpcx;

import io.github.librpcx.internal.Channel;
import io.github.librpcx.internal.Natives;
import io.github.librpcx.internal.Records;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Hands the library's log events to {@link System.Logger}, under the names of its parts: {@code rpcx.client}, {@code rpcx.slow}. */
final class Logs implements Channel.Sink {
    private static final Level[] LEVELS = {Level.OFF, Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG, Level.TRACE};
    private static final Channel CHANNEL = begin();

    private final Map<String, System.Logger> loggers = new ConcurrentHashMap<>();

    private Logs() {}

    private static Channel begin() {
        Channel channel = new Channel("rpcx-log", new Logs());
        Natives.logTo(channel.address(), level());
        channel.start();
        return channel;
    }

    /** What the host's logging takes. */
    private static int level() {
        System.Logger root = System.getLogger("rpcx");
        int most = 1;
        for (int level = 2; level < LEVELS.length && root.isLoggable(LEVELS[level]); level++) {
            most = level;
        }
        return most;
    }

    /** Asks the host's logging again. */
    static void refresh() {
        Natives.logTo(CHANNEL.address(), level());
    }

    /** Begins, once for the process. */
    static void start() {
        if (CHANNEL.address() == 0) {
            throw new IllegalStateException("no log");
        }
    }

    @Override
    public void event(int type, int flags, long id, ByteBuffer body) {
        String target = Records.text(body).replace("::", ".");
        loggers.computeIfAbsent(target, System::getLogger).log(LEVELS[(int) id], Records.text(body));
    }

    @Override
    public void ended() {
        // Only the end of the process ends the log.
    }
}
