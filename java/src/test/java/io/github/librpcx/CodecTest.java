// JSON and MessagePack by Go's conventions.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.reflect.Type;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class CodecTest {
    private static final Codec MSGPACK = Codec.standard(SerializeType.MSGPACK);
    private static final Codec JSON = Codec.standard(SerializeType.JSON);

    record Point(@JsonProperty("X") int x, @JsonProperty("Y") Integer y) {}

    static final class All {
        public boolean flag;
        public long number;
        public Long pointer;
        public BigInteger unsigned = BigInteger.ZERO;
        public float single;
        public String text = "x";
        public byte[] bytes = {1};
        public Instant time = Instant.EPOCH;
        public List<Integer> list = List.of(1);
        public Map<String, Integer> map = Map.of("a", 1);
        public Point point;
    }

    private static byte[] hex(String text) {
        return HexFormat.of().parseHex(text.replace(" ", ""));
    }

    private static <T> T read(Codec codec, byte[] payload, Class<T> type) throws Exception {
        // Neither at the beginning nor at the end of its array.
        byte[] around = new byte[payload.length + 7];
        System.arraycopy(payload, 0, around, 3, payload.length);
        return type.cast(codec.decode(ByteBuffer.wrap(around, 3, payload.length), type));
    }

    @Test
    void recordsAreMapsByName() throws Exception {
        assertArrayEquals(hex("82 a158 07 a159 c0"), MSGPACK.encode(new Point(7, null)));
        assertEquals(new Point(7, 8), read(MSGPACK, hex("83 a158 07 a159 08 a15a 09"), Point.class));
        assertEquals("{\"X\":7,\"Y\":8}", new String(JSON.encode(new Point(7, 8)), StandardCharsets.UTF_8));
    }

    @Test
    void nilIsTheZeroValue() throws Exception {
        Map<String, Object> nothing = new HashMap<>();
        for (String name : List.of("flag", "number", "pointer", "single", "text", "bytes", "list", "map", "point")) {
            nothing.put(name, null);
        }
        byte[] nils = MSGPACK.encode(nothing);
        All all = read(MSGPACK, nils, All.class);
        assertEquals(List.of("", 0L, false, 0f), List.of(all.text, all.number, all.flag, all.single));
        assertEquals(List.of(List.of(), Map.of()), List.of(all.list, all.map));
        assertArrayEquals(new byte[0], all.bytes);
        assertNull(all.pointer);
        assertNull(all.point);
    }

    @Test
    void everyWidthOfAnIntegerIsRead() throws Exception {
        for (String number : List.of("07", "cc07", "cd0007", "ce00000007", "cf0000000000000007", "d007", "d10007", "d200000007", "d30000000000000007")) {
            assertEquals(new Point(7, 7), read(MSGPACK, hex("82 a158" + number + "a159" + number), Point.class), number);
        }
        byte[] largest = hex("81 a8" + HexFormat.of().formatHex("unsigned".getBytes(StandardCharsets.UTF_8)) + "cf ffffffffffffffff");
        assertEquals(BigInteger.TWO.pow(64).subtract(BigInteger.ONE), read(MSGPACK, largest, All.class).unsigned);
        assertArrayEquals(hex("ca 3f000000"), MSGPACK.encode(0.5f));
    }

    @Test
    void momentsAreTimestamps() throws Exception {
        for (String text : List.of("1970-01-01T00:00:01Z", "2026-11-21T10:00:00.123456789Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "9999-12-31T23:59:59.999999999Z")) {
            Instant time = Instant.parse(text);
            assertEquals(time, read(MSGPACK, MSGPACK.encode(time), Instant.class), text);
            assertEquals(time, read(JSON, JSON.encode(time), Instant.class), text);
            assertEquals(time, MSGPACK.decode(ByteBuffer.wrap(MSGPACK.encode(time)), Object.class), text);
        }
        assertArrayEquals(hex("d6ff 00000001"), MSGPACK.encode(Instant.ofEpochSecond(1)));
        assertArrayEquals(hex("d7ff 0000000400000001"), MSGPACK.encode(Instant.ofEpochSecond(1, 1)));
        assertArrayEquals(hex("c70cff 00000001 ffffffffffffffff"), MSGPACK.encode(Instant.ofEpochSecond(-1, 1)));
        assertEquals(Instant.parse("2026-11-21T10:00:00Z"), read(JSON, "\"2026-11-21T11:00:00+01:00\"".getBytes(StandardCharsets.UTF_8), Instant.class));
        assertThrows(Exception.class, () -> read(MSGPACK, hex("d7ff ffffffffffffffff"), Instant.class));
    }

    @Test
    void bytesAreBinaryAndBase64() throws Exception {
        All all = new All();
        all.bytes = new byte[] {0, (byte) 255};
        assertArrayEquals(all.bytes, read(MSGPACK, MSGPACK.encode(all), All.class).bytes);
        assertArrayEquals(all.bytes, read(JSON, JSON.encode(all), All.class).bytes);
        assertArrayEquals(hex("c402 00ff"), MSGPACK.encode(new byte[] {0, (byte) 255}));
    }

    @Test
    void hostileInputFails() {
        byte[] deep = new byte[100_000];
        java.util.Arrays.fill(deep, (byte) 0x91);
        assertThrows(Exception.class, () -> read(MSGPACK, deep, Object.class));
        java.util.Arrays.fill(deep, (byte) '[');
        assertThrows(Exception.class, () -> read(JSON, deep, Object.class));
        assertThrows(Exception.class, () -> read(MSGPACK, hex("dd ffffffff"), Object.class));
        assertThrows(Exception.class, () -> read(MSGPACK, hex("c6 7fffffff 00"), byte[].class));
        assertThrows(Exception.class, () -> read(JSON, "{\"X\":1} trailing".getBytes(StandardCharsets.UTF_8), Point.class));
    }

    @Test
    void aCodecThatIsMissingIsNamed() {
        RpcException.Codec error = assertThrows(RpcException.Codec.class, () -> Codec.standard(new SerializeType(9)));
        assertEquals("no codec for 9", error.getMessage());
    }

    /** A format for a free number, and one instead of the library's. */
    @Test
    void aFormatOfOnesOwn() {
        Codec lines = new Codec() {
            @Override
            public byte[] encode(Object value) {
                Point point = (Point) value;
                return (point.x() + "\n" + point.y()).getBytes(StandardCharsets.UTF_8);
            }

            @Override
            public Object decode(ByteBuffer payload, Type type) {
                assertEquals(Point.class, type);
                String text = StandardCharsets.UTF_8.decode(payload).toString();
                int end = text.indexOf(10);
                return new Point(Integer.parseInt(text.substring(0, end)), Integer.valueOf(text.substring(end + 1)));
            }
        };
        SerializeType free = new SerializeType(9);
        try (Server server = Server.builder()
                        .listen("tcp@127.0.0.1:0")
                        .codec(free, lines)
                        .codec(SerializeType.JSON, lines)
                        .function("S", "Turn", Point.class, (context, point) -> new Point(point.y(), point.x()))
                        .asyncFunction("S", "Raw", byte[].class, (context, bytes) -> CompletableFuture.completedFuture(bytes))
                        .start();
                Client client = Client.builder(server.addresses().get(0)).codec(free, lines).codec(SerializeType.JSON, lines).build()) {
            BlockingService service = client.service("S").blocking();
            for (SerializeType type : List.of(free, SerializeType.JSON, SerializeType.MSGPACK)) {
                CallOptions options = CallOptions.builder().serializeType(type).build();
                assertEquals(new Point(8, 7), service.call("Turn", new Point(7, 8), Point.class, options), type.toString());
            }
            CallOptions options = CallOptions.builder().serializeType(free).build();
            assertArrayEquals("7\n8".getBytes(StandardCharsets.UTF_8), service.call("Raw", new Point(7, 8), byte[].class, options));
            // What cannot be read is the codec's failure.
            assertThrows(RpcException.Codec.class, () ->
                    service.call("Raw", "x".getBytes(StandardCharsets.UTF_8), Point.class, options));
            try (Client plain = Client.open(server.addresses().get(0))) {
                assertThrows(RpcException.Codec.class, () ->
                        plain.service("S").blocking().call("Turn", new Point(7, 8), Point.class, options));
            }
        }
    }
}
