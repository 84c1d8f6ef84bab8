package peer;

import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The command line; times in seconds. */
record Options(
        boolean server,
        InetSocketAddress address,
        int connections,
        int callers,
        double seconds,
        double warmup,
        String serverPid,
        boolean blocking,
        boolean pool) {

    /** Reads {@code server|client} and pairs of {@code --key value}. */
    static Options parse(String[] args) {
        if (args.length == 0 || !List.of("server", "client").contains(args[0])) {
            throw new IllegalArgumentException("the first argument is server or client");
        }
        Map<String, String> given = new HashMap<>();
        for (int i = 1; i < args.length; i += 2) {
            if (!args[i].startsWith("--") || i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + ": expected --key and a value");
            }
            given.put(args[i].substring(2), args[i + 1]);
        }
        String[] address = given.getOrDefault("addr", "").split(":");
        if (address.length != 2) {
            throw new IllegalArgumentException("--addr HOST:PORT is missing");
        }
        int callers = Math.max(1, Integer.parseInt(given.getOrDefault("concurrency", "1")));
        return new Options(
                args[0].equals("server"),
                new InetSocketAddress(address[0], Integer.parseInt(address[1])),
                Math.min(callers, Math.max(1, Integer.parseInt(given.getOrDefault("conns", "1")))),
                callers,
                Double.parseDouble(given.getOrDefault("seconds", "3")),
                Double.parseDouble(given.getOrDefault("warmup", "0.7")),
                given.get("server-pid"),
                choice(given, "flavor", "async", "blocking"),
                choice(given, "executor", "direct", "pool"));
    }

    /** Whether the second of two values is chosen; the first is the default. */
    private static boolean choice(Map<String, String> given, String key, String first, String second) {
        String value = given.getOrDefault(key, first);
        if (!value.equals(first) && !value.equals(second)) {
            throw new IllegalArgumentException("--" + key + " " + value + ": expected " + first + " or " + second);
        }
        return value.equals(second);
    }
}
