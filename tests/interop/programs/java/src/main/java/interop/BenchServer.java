// The bench server.
package interop;

import io.github.librpcx.RpcException;
import io.github.librpcx.Server;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import sun.misc.Signal;

/** Serves {@code Hello.Say} with every default on. */
public final class BenchServer {
    private static final String USAGE = """
            usage: bench-server --addr HOST:PORT [--flavor async|plain] [--threads N]

            Serves Hello.Say until SIGTERM.

              --flavor async    the handler returns a future and runs where requests are taken, the default
              --flavor plain    the handler returns the reply and runs on the server's pool
              --threads N       so many threads of the library instead of one per core
            """;

    private BenchServer() {}

    /** Serves until SIGTERM. */
    public static void main(String[] args) throws InterruptedException {
        Args given = new Args(args, USAGE, Set.of("addr", "flavor", "threads"));
        String address = given.one("addr");
        if (address == null) {
            throw given.refuse("--addr HOST:PORT is missing");
        }
        CountDownLatch end = new CountDownLatch(1);
        Signal.handle(new Signal("TERM"), signal -> end.countDown());
        Object service = switch (given.one("flavor", "async")) {
            case "async" -> new Hello.AsyncService();
            case "plain" -> new Hello.PlainService();
            default -> throw given.refuse("--flavor " + given.one("flavor") + ": expected async or plain");
        };
        Server.Builder builder = Server.builder().listen("tcp@" + address).service(service);
        int threads = (int) given.number("threads", 0);
        if (threads > 0) {
            builder.threads(threads);
        }
        try (Server server = builder.start()) {
            end.await();
        } catch (RpcException e) {
            throw given.refuse(e.getMessage());
        }
        System.exit(0);
    }
}
