// The interop server.
package interop;

import io.github.librpcx.RpcException;
import io.github.librpcx.Rpcx;
import io.github.librpcx.Server;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import sun.misc.Signal;

/** Every test service, on the addresses that the command line names. */
public final class ServerMain {
    private static final String USAGE = """
            usage: server --listen ADDRESS… [--registry URL…] [--meta QUERY] [--auth TOKEN] [--option NAME=VALUE…]
                          [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]

            Serves the interop test services until SIGTERM. What ends in … takes several values or is repeated.

              --listen ADDRESS         tcp@127.0.0.1:0, unix@/run/x.sock, …; port 0 is chosen by the system
              --registry URL           announces the services there
              --meta QUERY             metadata for the registry
              --auth TOKEN             every other token is refused
              --option NAME=VALUE      a server option by its name
              --tls-cert, --tls-key    PEM files; --tls-client-ca asks clients for a certificate
            """;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Map<String, String> FILES =
            Map.of("tls-cert", "tls.cert", "tls-key", "tls.key", "tls-client-ca", "tls.client_ca");

    private ServerMain() {}

    /** Serves until SIGTERM. */
    public static void main(String[] args) throws InterruptedException {
        Args given = new Args(
                args, USAGE, Set.of("listen", "registry", "meta", "auth", "option", "tls-cert", "tls-key", "tls-client-ca"));
        CountDownLatch end = new CountDownLatch(1);
        Signal.handle(new Signal("TERM"), signal -> end.countDown());
        Signal.handle(new Signal("INT"), signal -> end.countDown());
        Tally tally = new Tally();
        Server server;
        try {
            server = builder(given, tally).start();
        } catch (RpcException e) {
            throw given.refuse(e.getMessage());
        }
        List<String> addresses = server.addresses();
        System.out.println(Lines.text(Map.of(
                "ready", true, "language", "java", "version", Rpcx.version(), "addresses", addresses)));
        end.await();
        try {
            server.shutdown(PATIENCE).get();
        } catch (ExecutionException e) {
            System.err.println(e.getCause().getMessage());
        }
        System.out.println(tally.stopped());
        // Without waiting for blocking handlers that outlast the shutdown.
        System.exit(0);
    }

    private static Server.Builder builder(Args given, Tally tally) {
        if (given.all("listen").isEmpty()) {
            throw given.refuse("--listen ADDRESS is missing");
        }
        Server.Builder server = Services.add(Server.builder(), tally);
        given.all("listen").forEach(server::listen);
        given.all("registry").forEach(server::registry);
        String meta = given.one("meta");
        if (meta != null) {
            server.metadata("", meta);
        }
        String token = given.one("auth");
        if (token != null) {
            server.authenticator(request -> token.equals(request.token())
                    ? CompletableFuture.completedFuture(null)
                    : CompletableFuture.failedFuture(RpcException.service("invalid token")));
        }
        for (String option : given.all("option")) {
            int sign = option.indexOf('=');
            if (sign < 0) {
                throw given.refuse("--option " + option + ": write it as NAME=VALUE");
            }
            server.option(option.substring(0, sign), option.substring(sign + 1));
        }
        FILES.forEach((argument, option) -> {
            String path = given.one(argument);
            if (path != null) {
                server.option(option, path);
            }
        });
        return server;
    }
}
