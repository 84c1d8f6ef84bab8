package peer;

import java.util.ArrayList;
import java.util.List;

/** Apache Dubbo as its users write it, for the benchmark. */
public final class DubboMain {
    private static final String USAGE = """
            usage: dubbo server --addr 127.0.0.1:PORT [--wire dubbo|triple]
                   dubbo client --addr 127.0.0.1:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]
                                [--wire dubbo|triple]

              --wire dubbo    its own protocol and a plain object
              --wire triple   gRPC's wire format, stubs generated from the proto file""";

    private DubboMain() {}

    /** Serves until the process is ended, or measures. */
    public static void main(String[] args) throws Exception {
        List<String> rest = new ArrayList<>(List.of(args));
        boolean triple = false;
        Options options;
        try {
            int at = rest.indexOf("--wire");
            if (at >= 0) {
                String wire = at + 1 < rest.size() ? rest.get(at + 1) : "";
                if (!List.of("dubbo", "triple").contains(wire)) {
                    throw new IllegalArgumentException("--wire " + wire + ": expected dubbo or triple");
                }
                triple = wire.equals("triple");
                rest.subList(at, at + 2).clear();
            }
            options = Options.parse(rest.toArray(new String[0]));
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage() + "\n" + USAGE);
            System.exit(2);
            return;
        }
        if (options.server()) {
            Dubbo.serve(options, triple);
        } else {
            Dubbo.call(options, triple);
        }
    }
}
