package peer;

/** gRPC in Java as its users write it, for the benchmark. */
public final class Main {
    private static final String USAGE = """
            usage: grpc-java server --addr HOST:PORT [--executor direct|pool]
                   grpc-java client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]
                                    [--flavor async|blocking] [--executor direct|pool]

              --executor direct   handlers and callbacks run on the event loop, which gRPC advises for those that never block
              --executor pool     on gRPC's default pool of threads""";

    private Main() {}

    /** Serves until the process is ended, or measures. */
    public static void main(String[] args) throws Exception {
        Options options;
        try {
            options = Options.parse(args);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage() + "\n" + USAGE);
            System.exit(2);
            return;
        }
        if (options.server()) {
            Server.serve(options);
        } else {
            Client.call(options);
        }
    }
}
