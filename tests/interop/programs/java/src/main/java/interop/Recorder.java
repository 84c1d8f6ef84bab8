// What a bench client measures.
package interop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/** Latencies in buckets of 0.1 %, CPU time and memory of client and server, and the report. */
final class Recorder {
    private enum Phase { WARM, MEASURE, OVER }

    /** Buckets for each power of two. */
    private static final int FINE = 1024;
    private static final int POWERS = 48;
    /** The bits of a value that are kept. */
    private static final int KEPT = 53;
    private static final double TICK_US = 1e4;

    private final AtomicLongArray buckets = new AtomicLongArray(POWERS * FINE);
    private final LongAdder nanos = new LongAdder();
    private final LongAdder warmed = new LongAdder();
    private final AtomicLong errors = new AtomicLong();
    private volatile Phase phase = Phase.WARM;

    boolean isOver() {
        return phase == Phase.OVER;
    }

    void took(long time) {
        if (phase == Phase.MEASURE) {
            buckets.incrementAndGet(Math.min(bucket(time), buckets.length() - 1));
            nanos.add(time);
        } else if (phase == Phase.WARM) {
            warmed.increment();
        }
    }

    void failed(Throwable error) {
        if (!isOver() && errors.incrementAndGet() == 1) {
            System.err.println("first error: " + error);
        }
    }

    private static int bucket(long value) {
        int shift = Math.max(0, KEPT - Long.numberOfLeadingZeros(value | 1));
        return shift == 0 ? (int) value : (int) (shift * (long) FINE + (value >>> shift));
    }

    private static double value(int bucket) {
        int shift = Math.max(0, bucket / FINE - 1);
        return shift == 0 ? bucket : (bucket - shift * FINE + 0.5) * (1L << shift);
    }

    /** Warms up, measures, and prints the report. */
    void measure(Args given) throws InterruptedException {
        String server = given.one("server-pid");
        Thread.sleep((long) (given.number("warmup", 15) * 1000));
        double client0 = cpuUs("self");
        double server0 = cpuUs(server);
        long began = System.nanoTime();
        phase = Phase.MEASURE;
        Thread.sleep((long) (given.number("seconds", 3) * 1000));
        phase = Phase.OVER;
        double seconds = (System.nanoTime() - began) / 1e9;
        double clientUs = cpuUs("self") - client0;
        double serverUs = cpuUs(server) - server0;
        long calls = 0;
        for (int i = 0; i < buckets.length(); i++) {
            calls += buckets.get(i);
        }
        System.out.printf(Locale.ROOT,
                "{\"calls\":%d,\"total_calls\":%d,\"errors\":%d,\"throughput\":%.1f,\"mean_us\":%s,\"p50_us\":%s,\"p99_us\":%s,"
                        + "\"p999_us\":%s,\"client_cpu_us_per_call\":%s,\"server_cpu_us_per_call\":%s,\"client_rss_mib\":%s,"
                        + "\"server_rss_mib\":%s}%n",
                calls, calls + warmed.sum(), errors.get(), calls / seconds, number(nanos.sum() / 1e3 / calls),
                quantile(calls, 0.5), quantile(calls, 0.99), quantile(calls, 0.999), number(clientUs / calls),
                number(serverUs / calls), memoryMib("self"), memoryMib(server));
    }

    private static String number(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%.3f", value) : "null";
    }

    private String quantile(long calls, double of) {
        long left = Math.max(1, (long) Math.ceil(of * calls));
        for (int i = 0; i < buckets.length(); i++) {
            left -= buckets.get(i);
            if (left <= 0) {
                return number(value(i) / 1e3);
            }
        }
        return "null";
    }

    /** Microseconds of CPU time, user and system, from ticks of 10 ms. */
    private static double cpuUs(String pid) {
        if (pid == null) {
            return Double.NaN;
        }
        try {
            String stat = Files.readString(Path.of("/proc", pid, "stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * TICK_US;
        } catch (IOException e) {
            return Double.NaN;
        }
    }

    private static String memoryMib(String pid) {
        if (pid == null) {
            return "null";
        }
        try {
            for (String line : Files.readAllLines(Path.of("/proc", pid, "status"))) {
                if (line.startsWith("VmHWM:")) {
                    return number(Double.parseDouble(line.split("\\s+")[1]) / 1024);
                }
            }
        } catch (IOException e) {
            return "null";
        }
        return "null";
    }
}
