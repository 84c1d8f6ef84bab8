// The service of the rpcx benchmark and its message.
package interop;

import com.google.protobuf.Descriptors.FieldDescriptor;
import io.github.librpcx.RpcService;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import pb.Benchmark.BenchmarkMessage;

/** {@code Hello.Say}: as an interface for callers, and twice as a class that serves it. */
public final class Hello {
    private static final String TEXT = "许多往事在眼前一幕一幕，变的那麼模糊";
    private static final int NUMBER = 100_000;
    private static final int REQUEST_BYTES = 581;

    private Hello() {}

    /** By futures. */
    @RpcService("Hello")
    public interface Async {
        CompletionStage<BenchmarkMessage> say(BenchmarkMessage message);
    }

    /** For threads that wait. */
    @RpcService("Hello")
    public interface Blocking {
        BenchmarkMessage say(BenchmarkMessage message);
    }

    /** On the threads that take the requests. */
    public static final class AsyncService implements Async {
        @Override
        public CompletionStage<BenchmarkMessage> say(BenchmarkMessage message) {
            return CompletableFuture.completedFuture(answer(message));
        }
    }

    /** On the server's executor. */
    public static final class PlainService implements Blocking {
        @Override
        public BenchmarkMessage say(BenchmarkMessage message) {
            return answer(message);
        }
    }

    /** The request: every text, flag and number set. */
    static BenchmarkMessage request() {
        BenchmarkMessage.Builder message = BenchmarkMessage.newBuilder();
        for (FieldDescriptor field : BenchmarkMessage.getDescriptor().getFields()) {
            if (field.isRepeated()) {
                continue;
            }
            switch (field.getJavaType()) {
                case STRING -> message.setField(field, TEXT);
                case BOOLEAN -> message.setField(field, true);
                case INT -> message.setField(field, NUMBER);
                case LONG -> message.setField(field, (long) NUMBER);
                default -> throw new IllegalStateException(field.getFullName());
            }
        }
        BenchmarkMessage request = message.build();
        if (request.getSerializedSize() != REQUEST_BYTES) {
            throw new IllegalStateException("the request has " + request.getSerializedSize() + " bytes");
        }
        return request;
    }

    /** The message with field 1 set to {@code OK} and field 2 to 100. */
    static BenchmarkMessage answer(BenchmarkMessage message) {
        return message.toBuilder().setField1("OK").setField2(100).build();
    }

    /** Whether this is the answer. */
    static boolean isAnswer(BenchmarkMessage message) {
        return message.getField2() == 100 && message.getField1().equals("OK");
    }
}
