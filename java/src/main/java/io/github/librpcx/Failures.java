// Failures of the native side as exceptions: the one place.
package io.github.librpcx;

import io.github.librpcx.internal.Channel;
import io.github.librpcx.internal.NativeFailure;
import io.github.librpcx.internal.Records;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/** Makes {@link RpcException} of what comes from elsewhere. */
final class Failures {
    private static final Delivery[] DELIVERIES = Delivery.values();
    private static final int LINES = 5;

    private Failures() {}

    /** The failure in an event. */
    static RpcException read(ByteBuffer body) {
        int attempts = body.getInt();
        Delivery delivery = DELIVERIES[body.get()];
        String reason = Records.text(body);
        String server = Records.text(body);
        return RpcException.told(reason, Records.text(body), delivery, attempts, server);
    }

    /** Calls a native method on a channel, which stays reachable meanwhile. */
    static <T> T ask(Channel channel, LongFunction<T> body) {
        try {
            return body.apply(channel.address());
        } catch (NativeFailure e) {
            throw read(e);
        } finally {
            Reference.reachabilityFence(channel);
        }
    }

    /** Calls a native method without a result. */
    static void act(Channel channel, LongConsumer body) {
        ask(channel, address -> {
            body.accept(address);
            return null;
        });
    }

    /** Calls a native method of an object, which stays reachable meanwhile. */
    static <T> T ask(Object owner, long address, LongFunction<T> body) {
        try {
            return body.apply(address);
        } catch (NativeFailure e) {
            throw read(e);
        } finally {
            Reference.reachabilityFence(owner);
        }
    }

    private static RpcException read(NativeFailure failure) {
        String[] lines = String.valueOf(failure.getMessage()).split("\n", LINES);
        if (lines.length < LINES) {
            return RpcException.of("internal.bug", failure.getMessage(), Delivery.NOT_SENT, failure);
        }
        String server = lines[3].isEmpty() ? null : lines[3];
        Delivery delivery = DELIVERIES[Integer.parseInt(lines[1])];
        return RpcException.told(lines[0], lines[4], delivery, Integer.parseInt(lines[2]), server).here();
    }

    /** What a future failed with, without the wrappings of futures. */
    static Throwable cause(Throwable error) {
        Throwable cause = error;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException) && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    /** The same for a thread that waited. */
    static RuntimeException thrown(Throwable error) {
        Throwable cause = cause(error);
        if (cause instanceof RpcException failure) {
            return failure.here();
        }
        if (cause instanceof CancellationException) {
            return RpcException.of("cancelled.caller", "the call was cancelled", Delivery.MAYBE_RUN, cause);
        }
        if (cause instanceof Error fatal) {
            throw fatal;
        }
        return cause instanceof RuntimeException other
                ? other
                : RpcException.of("internal.bug", String.valueOf(cause), Delivery.MAYBE_RUN, cause);
    }

    static RpcException argument(String text) {
        return RpcException.of("config.bad_argument", text, Delivery.NOT_SENT, null);
    }

    static RpcException closed(String text) {
        return RpcException.of("closed.local", text, Delivery.NOT_SENT, null);
    }
}
