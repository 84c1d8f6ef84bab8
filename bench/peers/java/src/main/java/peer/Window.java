package peer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.StringJoiner;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

/** The measured window, and the report of one JSON line. */
final class Window {
    private enum Phase { WARM, OPEN, OVER }

    private static final double TICK = 1e4; // microseconds of CPU in a tick of /proc/PID/stat

    private final Options options;
    private final Latencies latencies = new Latencies();
    private final LongAdder warm = new LongAdder();
    private final AtomicLong errors = new AtomicLong();
    private final AtomicReference<String> firstError = new AtomicReference<>();
    private volatile Phase phase = Phase.WARM;

    Window(Options options) {
        this.options = options;
    }

    /** Whether callers shall make another call. Any thread, as the two below. */
    boolean running() {
        return phase != Phase.OVER;
    }

    /** A call has ended well. */
    void done(long nanoseconds) {
        switch (phase) {
            case WARM -> warm.increment();
            case OPEN -> latencies.add(nanoseconds);
            case OVER -> { }
        }
    }

    /** A call has failed. */
    void failed(Throwable error) {
        if (!running()) {
            return;
        }
        errors.incrementAndGet();
        if (firstError.compareAndSet(null, String.valueOf(error))) {
            System.err.println("first error: " + error);
        }
    }

    /** Waits for the end of warm-up and window, prints the report, and ends the process, whatever the callers are at. */
    void run() throws InterruptedException {
        Thread.sleep((long) (options.warmup() * 1000));
        double client = cpu("self");
        double server = cpu(options.serverPid());
        long began = System.nanoTime();
        phase = Phase.OPEN;
        Thread.sleep((long) (options.seconds() * 1000));
        phase = Phase.OVER;
        double seconds = (System.nanoTime() - began) / 1e9;
        report(seconds, cpu("self") - client, cpu(options.serverPid()) - server);
        System.out.flush();
        Runtime.getRuntime().halt(latencies.count() > 0 ? 0 : 1);
    }

    private void report(double seconds, double client, double server) {
        long calls = latencies.count();
        StringJoiner line = new StringJoiner(",", "{", "}");
        line.add("\"conns\":" + options.connections());
        line.add("\"concurrency\":" + options.callers());
        number(line, "seconds", seconds);
        line.add("\"calls\":" + calls);
        line.add("\"total_calls\":" + (calls + warm.sum()));
        line.add("\"errors\":" + errors.get());
        String error = firstError.get();
        line.add("\"first_error\":" + (error == null ? "null" : '"' + error.replaceAll("[\\p{Cntrl}\"\\\\]", " ") + '"'));
        number(line, "throughput", calls / seconds);
        number(line, "mean_us", latencies.mean());
        number(line, "p50_us", latencies.quantile(0.5));
        number(line, "p99_us", latencies.quantile(0.99));
        number(line, "p999_us", latencies.quantile(0.999));
        number(line, "max_us", latencies.quantile(1));
        number(line, "client_cpu_us_per_call", client / calls);
        number(line, "server_cpu_us_per_call", server / calls);
        number(line, "client_rss_mib", peak("self"));
        number(line, "server_rss_mib", peak(options.serverPid()));
        System.out.println(line);
    }

    private static void number(StringJoiner line, String name, double value) {
        String text = Double.isFinite(value) ? String.format(Locale.ROOT, "%.3f", value) : "null";
        line.add('"' + name + "\":" + text);
    }

    /** User and system CPU time of a process in microseconds; not a number if there is none. */
    private static double cpu(String pid) {
        String stat = read(pid, "stat");
        if (stat.isEmpty()) {
            return Double.NaN;
        }
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * TICK;
    }

    /** Peak resident memory of a process in MiB; not a number if there is none. */
    private static double peak(String pid) {
        return read(pid, "status").lines()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToDouble(line -> Double.parseDouble(line.split("\\s+")[1]) / 1024)
                .findFirst()
                .orElse(Double.NaN);
    }

    private static String read(String pid, String file) {
        try {
            return pid == null ? "" : Files.readString(Path.of("/proc", pid, file), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }
}
