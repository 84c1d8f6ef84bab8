// The records that cross the boundary.
package io.github.librpcx.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Numbers and forms of the records that cross the boundary; {@code bindings/java/src/wire.rs} is the other half. Each begins with
 * its size (4 bytes, itself included) and what it is. Numbers are little-endian, text is UTF-8 after its length.
 */
public final class Records {
    /** Command: starts a call. */
    public static final int CALL = 1;
    /** Command: gives a call up. */
    public static final int CANCEL = 2;
    /** Command: answers a request. */
    public static final int ANSWER = 3;
    /** Command: decides about a token. */
    public static final int ADMIT = 4;
    /** Command: pushes were taken, and as many may come. */
    public static final int TAKEN = 5;

    /** Event: the reply to a call, or its failure. */
    public static final int REPLY = 1;
    /** Event: something without a value has ended. */
    public static final int DONE = 2;
    /** Event: the replies of every server. */
    public static final int INFORM = 3;
    /** Event: a request of a method. */
    public static final int REQUEST = 4;
    /** Event: the caller has given a request up. */
    public static final int CANCELLED = 5;
    /** Event: a token to decide about. */
    public static final int AUTH = 6;
    /** Event: a message that a server pushed. */
    public static final int PUSH = 7;
    /** Event: no further push will come. */
    public static final int PUSHES_END = 8;
    /** Event: a line of the library's log. */
    public static final int LOG = 9;

    /** Flag of events: it failed. */
    public static final int FAILED = 1;
    /** Flag of events: the body is an array of its own. */
    public static final int LARGE = 2;

    /** The bytes of an event before its body: size, type, flags, index of the large body, id. */
    public static final int EVENT_HEAD = 16;
    /** The bytes of a call before its extras. */
    public static final int CALL_HEAD = 32;
    /** The bytes of an answer before its metadata. */
    public static final int ANSWER_HEAD = 20;

    /** What a call is: one server. The numbers 1 and 2 are broadcast and fork. */
    public static final int KIND_CALL = 0;
    /** What a call is: every server, with each answer. */
    public static final int KIND_INFORM = 3;
    /** What a call is: no answer, done when it was handed to the connection. */
    public static final int KIND_ONEWAY = 4;
    /** What a call is: no answer, and nothing is waited for. */
    public static final int KIND_ONESHOT = 5;

    /** The number of the fallback, among those of methods. */
    public static final int FALLBACK = -1;

    /** The address of the peer. */
    public static final int ABOUT_PEER = 0;
    /** The subject of the peer's certificate. */
    public static final int ABOUT_TLS = 1;

    private static final int NO_TEXT = -1;

    private Records() {}

    /** An array as a buffer of this byte order. */
    public static ByteBuffer over(byte[] bytes, int offset, int length) {
        return ByteBuffer.wrap(bytes, offset, length).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The size of a text. */
    public static int size(byte[] text) {
        return 4 + text.length;
    }

    /** The bytes of a text; null stays null. */
    public static byte[] utf8(String text) {
        return text == null ? null : text.getBytes(UTF_8);
    }

    /** Writes a text or the lack of one. */
    public static void put(ByteBuffer out, byte[] text) {
        if (text == null) {
            out.putInt(NO_TEXT);
        } else {
            out.putInt(text.length).put(text);
        }
    }

    /** Reads a text; null when there is none. */
    public static String text(ByteBuffer in) {
        int length = in.getInt();
        if (length == NO_TEXT) {
            return null;
        }
        int from = in.position();
        String text = new String(in.array(), in.arrayOffset() + from, length, UTF_8);
        in.position(from + length);
        return text;
    }

    /** Passes over a text. */
    public static void skip(ByteBuffer in) {
        int length = in.getInt();
        in.position(in.position() + Math.max(0, length));
    }

    /** Reads pairs, in their order. */
    public static Map<String, String> pairs(ByteBuffer in) {
        int count = in.getInt();
        Map<String, String> pairs = new LinkedHashMap<>(count * 2);
        for (int i = 0; i < count; i++) {
            String key = text(in);
            pairs.put(key, text(in));
        }
        return pairs;
    }

    /** Pairs as they cross: their number, then each. */
    public static byte[] pairs(Map<String, String> pairs) {
        Writer out = new Writer();
        out.number(pairs.size());
        pairs.forEach((key, value) -> out.text(key).text(value));
        return out.bytes();
    }

    /** The rest of a record as an array of its own. */
    public static byte[] rest(ByteBuffer in) {
        byte[] bytes = new byte[in.remaining()];
        in.get(bytes);
        return bytes;
    }
}
