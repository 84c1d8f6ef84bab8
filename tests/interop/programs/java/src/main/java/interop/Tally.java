// How often each method ran and how it ended.
package interop;

import io.github.librpcx.Context;
import io.github.librpcx.RpcException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** The counters of a server: what {@code Test.Count} tells. Counted inside the handlers. */
final class Tally {
    private final Map<String, Messages.CountReply> methods = new TreeMap<>();
    private long errors;
    private long panics;

    /** A handler that runs. */
    final class Running {
        private final Messages.CountReply counts;
        private boolean ended;

        private Running(Messages.CountReply counts) {
            this.counts = counts;
        }

        /** It has come to its end; false when it was over before. */
        boolean end(Throwable error) {
            synchronized (Tally.this) {
                if (ended) {
                    return false;
                }
                ended = true;
                counts.Finished++;
                if (error != null) {
                    errors++;
                    if (!(error instanceof RpcException)) {
                        panics++;
                    }
                }
                return true;
            }
        }

        /** It was stopped early; false when it was over before. */
        boolean cancel() {
            synchronized (Tally.this) {
                if (ended) {
                    return false;
                }
                ended = true;
                counts.Cancelled++;
                return true;
            }
        }
    }

    /** A handler's body. */
    interface Body<T> {
        T run() throws Exception;
    }

    synchronized Running begin(Context context) {
        String method = context.service() + "." + context.method();
        Messages.CountReply counts = methods.computeIfAbsent(method, name -> new Messages.CountReply());
        counts.Started++;
        return new Running(counts);
    }

    /** Runs a handler that is done at once. */
    <T> CompletionStage<T> run(Context context, Body<T> body) throws Exception {
        Running running = begin(context);
        try {
            T value = body.run();
            running.end(null);
            return CompletableFuture.completedFuture(value);
        } catch (Exception e) {
            running.end(e);
            throw e;
        }
    }

    /** What became of the calls of one method. */
    synchronized Messages.CountReply of(String method) {
        Messages.CountReply counts = methods.getOrDefault(method, new Messages.CountReply());
        Messages.CountReply copy = new Messages.CountReply();
        copy.Started = counts.Started;
        copy.Finished = counts.Finished;
        copy.Cancelled = counts.Cancelled;
        return copy;
    }

    /** The server's last line. */
    synchronized String stopped() {
        long calls = methods.values().stream().mapToLong(counts -> counts.Started).sum();
        long cancelled = methods.values().stream().mapToLong(counts -> counts.Cancelled).sum();
        return "{\"stopped\":true,\"calls\":" + calls + ",\"errors\":" + errors + ",\"cancelled\":" + cancelled
                + ",\"panics\":" + panics + "}";
    }
}
