// Arguments and replies of the test services. The names on the wire are Go's.
package interop;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.math.BigInteger;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The messages: public fields with the names that they have on the wire. */
final class Messages {
    private Messages() {}

    /** An unsigned field of so many bits, in a wider type. */
    @Retention(RetentionPolicy.RUNTIME)
    @interface Unsigned {
        int value();
    }

    /** Nothing. */
    public static final class Nothing {}

    /** How long. */
    public static final class SleepArgs {
        public long Ms;
    }

    /** How long it was. */
    public static final class SleepReply {
        public long Slept;
    }

    /** A text. */
    public static final class TextArgs {
        public String Text = "";
    }

    /** How many bytes. */
    public static final class SizeArgs {
        public long Bytes;
    }

    /** So many bytes. */
    public static final class SizeReply {
        public byte[] Data = {};
    }

    /** A {@code Service.Method}. */
    public static final class CountArgs {
        public String Method = "";
    }

    /** How often a method ran. */
    public static final class CountReply {
        public long Started;
        public long Finished;
        public long Cancelled;
    }

    /** Milliseconds until a deadline; −1 without one. */
    public static final class MsReply {
        public long Ms;
    }

    /** Who calls. */
    public static final class PeerReply {
        public String Address = "";
        public String Tls = "";
    }

    /** A call through servers. */
    public static final class NestedArgs {
        public String Address = "";
        public long Depth;
        public long Ms;
    }

    /** What to push. */
    public static final class PushArgs {
        public long Count;
        public String Text = "";
    }

    /** Two numbers. */
    public static final class Nested {
        public long A;
        public long B;
    }

    /** A field of every type. */
    public static final class Types {
        private static final Instant ZERO = Instant.parse("0001-01-01T00:00:00Z");

        public boolean Bool;
        public byte I8;
        public short I16;
        public int I32;
        public long I64;
        @Unsigned(8)
        public short U8;
        @Unsigned(16)
        public int U16;
        @Unsigned(32)
        public long U32;
        @Unsigned(64)
        public BigInteger U64 = BigInteger.ZERO;
        public float F32;
        public double F64;
        public String Str = "";
        public byte[] Bytes = {};
        public Instant Time = ZERO;
        public long Dur;
        public List<Long> IntList = new ArrayList<>();
        public List<String> StrList = new ArrayList<>();
        public Map<String, Long> Map = new HashMap<>();
        public Nested Nested = new Nested();
        public Nested Ptr;
        public List<Nested> List = new ArrayList<>();
    }

    /** So many bytes: byte {@code i} is {@code (31·i + 7) mod 256}. */
    static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (31 * i + 7);
        }
        return bytes;
    }
}
