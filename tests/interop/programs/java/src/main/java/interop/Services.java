// Arith, Echo, Fn and Hello.
package interop;

import io.github.librpcx.Context;
import io.github.librpcx.RpcException;
import io.github.librpcx.RpcMethod;
import io.github.librpcx.SerializeType;
import io.github.librpcx.Server;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import pb.Benchmark.BenchmarkMessage;

/** The services without a life of their own. */
final class Services {
    private static final long LARGEST = 1 << 30;

    private Services() {}

    /** Adds all services to a server. */
    static Server.Builder add(Server.Builder server, Tally tally) {
        return server.codec(SerializeType.PROTOBUF, new Arith.Protobuf())
                .service("Arith", new ArithService(tally))
                .alias("Alias", "Times", "Arith", "Mul")
                .service("Echo", new EchoService(tally))
                .asyncFunction("Echo", "Raw", byte[].class, (context, payload) -> tally.run(context, () -> payload))
                .service("Test", new TestService(tally))
                .asyncFunction("Test", "Size", byte[].class, (context, payload) -> tally.run(context, () -> size(context, payload)))
                .asyncFunction("Fn", "Greet", String.class, (context, name) -> tally.run(context, () -> "hi " + name))
                .asyncFunction("Hello", "Say", BenchmarkMessage.class,
                        (context, message) -> tally.run(context, () -> Hello.answer(message)));
    }

    /** Arithmetic; numbers wrap around as Go's do. */
    public static final class ArithService {
        private final Tally tally;

        ArithService(Tally tally) {
            this.tally = tally;
        }

        public CompletionStage<Arith.Reply> mul(Context context, Arith.Args args) throws Exception {
            return tally.run(context, () -> new Arith.Reply(args.A * args.B));
        }

        public CompletionStage<Arith.Reply> add(Context context, Arith.Args args) throws Exception {
            return tally.run(context, () -> new Arith.Reply(args.A + args.B));
        }

        public CompletionStage<Arith.Reply> div(Context context, Arith.Args args) throws Exception {
            return tally.run(context, () -> {
                if (args.B == 0) {
                    throw RpcException.service("divide by zero");
                }
                return new Arith.Reply(args.A / args.B);
            });
        }

        public CompletionStage<String> say(Context context, String name) throws Exception {
            return tally.run(context, () -> "hello " + name);
        }
    }

    /** What comes in goes out. */
    public static final class EchoService {
        private final Tally tally;

        EchoService(Tally tally) {
            this.tally = tally;
        }

        @RpcMethod
        public CompletionStage<Object> value(Context context, Object value) throws Exception {
            return tally.run(context, () -> value);
        }

        @RpcMethod("Types")
        public CompletionStage<Messages.Types> echo(Context context, Messages.Types types) throws Exception {
            return tally.run(context, () -> types);
        }

        @RpcMethod
        public CompletionStage<Messages.Nothing> meta(Context context, Messages.Nothing nothing) throws Exception {
            return tally.run(context, () -> {
                metadata(context);
                return nothing;
            });
        }
    }

    /** Sends the request's metadata back with {@code echo-} before each key. */
    static void metadata(Context context) {
        for (Map.Entry<String, String> pair : context.metadata().entrySet()) {
            if (!pair.getKey().startsWith("__")) {
                context.setMetadata("echo-" + pair.getKey(), pair.getValue());
            }
        }
    }

    /** {@code Test.Size}: decimal text and bytes under raw, else as any other method. */
    private static byte[] size(Context context, byte[] payload) throws Exception {
        boolean raw = context.serializeType().equals(SerializeType.RAW);
        long bytes;
        if (raw) {
            String text = new String(payload, StandardCharsets.UTF_8).trim();
            if (!text.matches("-?\\d{1,18}")) {
                throw RpcException.of("codec.decode", text + ": expected a decimal number", io.github.librpcx.Delivery.ANSWERED, null);
            }
            bytes = Long.parseLong(text);
        } else {
            bytes = ((Messages.SizeArgs) Formats.decode(context.serializeType(), payload, Messages.SizeArgs.class)).Bytes;
        }
        if (bytes < 0 || bytes > LARGEST) {
            throw RpcException.service(bytes + " bytes are not from 0 to " + LARGEST);
        }
        Messages.SizeReply reply = new Messages.SizeReply();
        reply.Data = Messages.pattern((int) bytes);
        return raw ? reply.Data : Formats.encode(context.serializeType(), reply);
    }
}
