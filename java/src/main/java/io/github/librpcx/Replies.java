// What becomes of the events that end calls.
package io.github.librpcx;

import io.github.librpcx.internal.Records;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Reads replies: attempts, server, metadata, payload. */
final class Replies {
    private Replies() {}

    /** The value alone. */
    static Object value(CodecSet codecs, SerializeType serialize, Type into, ByteBuffer body) {
        int from = body.position();
        int attempts = body.getInt();
        Records.skip(body);
        for (int pairs = body.getInt(); pairs > 0; pairs--) {
            Records.skip(body);
            Records.skip(body);
        }
        try {
            return codecs.decode(serialize, body, into);
        } catch (RpcException e) {
            body.position(from + 4);
            throw e.at(Records.text(body), attempts);
        }
    }

    /** The value and what came beside it. */
    static Response<Object> response(CodecSet codecs, SerializeType serialize, Type into, ByteBuffer body) {
        int attempts = body.getInt();
        String server = Records.text(body);
        Map<String, String> metadata = Map.copyOf(Records.pairs(body));
        try {
            return new Response<>(codecs.decode(serialize, body, into), metadata, server, attempts);
        } catch (RpcException e) {
            throw e.at(server, attempts);
        }
    }

    /** The answers of every server. */
    static List<ServerReply<Object>> inform(CodecSet codecs, SerializeType serialize, Type into, ByteBuffer body) {
        int count = body.getInt();
        List<ServerReply<Object>> replies = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int end = body.getInt();
            end += body.position();
            int failed = body.get();
            String server = Records.text(body);
            ByteBuffer one = body.duplicate().order(body.order()).limit(end);
            replies.add(one(codecs, serialize, into, server, failed != 0, one));
            body.position(end);
        }
        return List.copyOf(replies);
    }

    private static ServerReply<Object> one(
            CodecSet codecs, SerializeType serialize, Type into, String server, boolean failed, ByteBuffer body) {
        if (failed) {
            return new ServerReply<>(server, null, Failures.read(body));
        }
        try {
            return new ServerReply<>(server, response(codecs, serialize, into, body), null);
        } catch (RpcException e) {
            return new ServerReply<>(server, null, e);
        }
    }
}
