// A call as a command describes it.
package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.github.librpcx.CallOptions;
import io.github.librpcx.Delivery;
import io.github.librpcx.Response;
import io.github.librpcx.RpcException;
import io.github.librpcx.SerializeType;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** What a command says of one call, made into the arguments of the library. */
final class CallCommand {
    private static final Set<String> REPLIES = Set.of("value", "hex", "digest");
    private static final Map<String, SerializeType> CODECS = Map.of(
            "raw", SerializeType.RAW, "json", SerializeType.JSON, "protobuf", SerializeType.PROTOBUF,
            "msgpack", SerializeType.MSGPACK, "thrift", SerializeType.THRIFT);

    final String service;
    final String method;
    final JsonNode args;
    final CallOptions options;
    private final byte[] bytes;
    private final String reply;
    private final SerializeType codec;
    private final Types types;

    /** What a method takes and gives; null: any value. */
    private record Types(Class<?> argument, Class<?> reply) {}

    CallCommand(Fields fields, SerializeType usual) {
        service = fields.text("service");
        method = fields.text("method");
        args = fields.take("args");
        String hex = fields.optional("hex");
        int size = fields.count("size", -1);
        if ((args != null ? 1 : 0) + (hex != null ? 1 : 0) + (size >= 0 ? 1 : 0) > 1) {
            throw Lines.misuse("args, hex and size exclude each other");
        }
        bytes = hex != null ? Lines.hex(hex) : size >= 0 ? Messages.pattern(size) : null;
        CallOptions.Builder builder = CallOptions.builder();
        String named = fields.optional("codec");
        if (named != null && !CODECS.containsKey(named)) {
            throw Lines.misuse("codec: unknown codec \"" + named + "\"");
        }
        String compress = fields.optional("compress");
        fields.object("options").forEach((name, value) -> builder.option(name, Fields.option(name, value)));
        fields.object("metadata").forEach((key, value) -> {
            if (!value.isTextual()) {
                throw Lines.misuse("metadata: " + key + ": " + value + " is no text");
            }
            builder.metadata(key, value.textValue());
        });
        if (compress != null) {
            builder.option("compress_type", compress);
        }
        SerializeType given = builder.build().serializeType();
        codec = named != null ? CODECS.get(named) : given != null ? given : usual;
        if (named != null) {
            builder.option("serialize_type", named);
        }
        options = builder.serializeType(codec).build();
        String shown = fields.optional("reply");
        reply = shown == null ? "value" : shown;
        if (!REPLIES.contains(reply)) {
            throw Lines.misuse("reply: \"" + reply + "\" is none of value, hex, digest");
        }
        boolean typed = fields.flag("typed", true);
        boolean needsType = codec.equals(SerializeType.PROTOBUF) || codec.equals(SerializeType.THRIFT);
        types = typed || needsType ? types() : null;
        if (codec.equals(SerializeType.RAW) && args != null) {
            throw Lines.misuse("args: the codec raw takes hex or size");
        }
    }

    private Types types() {
        return switch (service + "." + method) {
            case "Arith.Mul", "Arith.Add", "Arith.Div", "Alias.Times" -> new Types(Arith.Args.class, Arith.Reply.class);
            case "Arith.Say", "Fn.Greet" -> new Types(String.class, String.class);
            case "Echo.Types" -> new Types(Messages.Types.class, Messages.Types.class);
            case "Echo.Meta", "Test.Close" -> new Types(Messages.Nothing.class, Messages.Nothing.class);
            case "Test.Sleep", "Test.Block" -> new Types(Messages.SleepArgs.class, Messages.SleepReply.class);
            case "Test.Fail", "Test.Panic" -> new Types(Messages.TextArgs.class, Messages.Nothing.class);
            case "Test.Size" -> new Types(Messages.SizeArgs.class, Messages.SizeReply.class);
            case "Test.Count" -> new Types(Messages.CountArgs.class, Messages.CountReply.class);
            case "Test.Deadline" -> new Types(Messages.Nothing.class, Messages.MsReply.class);
            case "Test.Peer" -> new Types(Messages.Nothing.class, Messages.PeerReply.class);
            case "Test.Nested" -> new Types(Messages.NestedArgs.class, Messages.MsReply.class);
            case "Test.Push" -> new Types(Messages.PushArgs.class, Messages.Nothing.class);
            default -> null;
        };
    }

    /** What is sent: a typed value, a natural one, or the payload itself. */
    Object argument(JsonNode from) {
        if (bytes != null || codec.equals(SerializeType.RAW)) {
            return bytes == null ? new byte[0] : bytes;
        }
        if (!isKnown()) {
            throw RpcException.of("codec.unsupported", "no codec for " + codec + " and " + service + "." + method,
                    Delivery.NOT_SENT, null);
        }
        JsonNode node = from == null ? JsonNodeFactory.instance.nullNode() : from;
        if (types == null) {
            return Lines.natural(node);
        }
        return Lines.typed(node, types.argument);
    }

    /** Whether the format has a value of the method's types. */
    private boolean isKnown() {
        if (codec.equals(SerializeType.JSON) || codec.equals(SerializeType.MSGPACK)) {
            return true;
        }
        boolean message = codec.equals(SerializeType.PROTOBUF) || codec.equals(SerializeType.THRIFT);
        return message && types != null && types.argument == Arith.Args.class;
    }

    /** What the reply is to be decoded into. */
    Class<?> replyType() {
        if (!reply.equals("value") || !isKnown()) {
            return byte[].class;
        }
        return types == null ? Object.class : types.reply;
    }

    /** The reply as the command wants it shown. */
    Object shown(Object value) {
        if (!reply.equals("digest")) {
            return value;
        }
        byte[] payload = (byte[]) value;
        Map<String, Object> digest = new LinkedHashMap<>();
        digest.put("bytes", payload.length);
        try {
            digest.put("sha256", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(payload)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        return digest;
    }

    /** The fields of a good answer. */
    Map<String, Object> answer(Response<?> response, long began) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ok", true);
        answer.put("reply", shown(response.value()));
        answer.put("metadata", visible(response.metadata()));
        answer.put("server", response.server());
        answer.put("attempts", response.attempts());
        answer.put("ms", (System.nanoTime() - began) / 1000 / 1e3);
        return answer;
    }

    /** Metadata without the protocol's own keys. */
    static Map<String, String> visible(Map<String, String> metadata) {
        Map<String, String> visible = new LinkedHashMap<>();
        metadata.forEach((key, value) -> {
            if (!key.startsWith("__")) {
                visible.put(key, value);
            }
        });
        return visible;
    }

    /** The arguments with the number of the call in place of {@code $i}. */
    static JsonNode numbered(JsonNode node, int index) {
        if (node == null || !node.toString().contains("$i")) {
            return node;
        }
        String text = node.toString().replace("\"$i\"", Integer.toString(index)).replace("$i", Integer.toString(index));
        return Lines.parse(text);
    }
}
