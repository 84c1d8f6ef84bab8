package peer;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/** Counts of latencies in 1,024 buckets for each power of two, so that they are kept to 0.1 %. Any thread. */
final class Latencies {
    private static final int BITS = 10;

    private final AtomicLongArray counts = new AtomicLongArray(48 << BITS);
    private final LongAdder sum = new LongAdder();

    void add(long nanoseconds) {
        int shift = Math.max(0, 63 - BITS - Long.numberOfLeadingZeros(nanoseconds | 1));
        long bucket = ((long) shift << BITS) + (nanoseconds >>> shift);
        counts.incrementAndGet((int) Math.min(bucket, counts.length() - 1));
        sum.add(nanoseconds);
    }

    long count() {
        long count = 0;
        for (int i = 0; i < counts.length(); i++) {
            count += counts.get(i);
        }
        return count;
    }

    /** In microseconds; not a number without any. */
    double mean() {
        return sum.sum() / 1e3 / count();
    }

    /** In microseconds; not a number without any. */
    double quantile(double q) {
        long wanted = Math.max(1, (long) Math.ceil(q * count()));
        for (int i = 0; i < counts.length(); i++) {
            wanted -= counts.get(i);
            if (wanted <= 0) {
                int shift = Math.max(0, (i >> BITS) - 1);
                return (shift == 0 ? i : (i - (shift << BITS) + 0.5) * (1L << shift)) / 1e3;
            }
        }
        return Double.NaN;
    }
}
