// Many calls, summed up.
package interop;

import io.github.librpcx.CallKind;
import io.github.librpcx.Client;
import io.github.librpcx.Response;
import io.github.librpcx.RpcException;
import io.github.librpcx.SerializeType;
import io.github.librpcx.BlockingService;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;

/** A number of callers, each making one call after the other until all were made. */
final class Burst {
    private final CallCommand command;
    private final BlockingService service;
    private final int count;
    private final int concurrency;
    private final AtomicInteger next = new AtomicInteger();
    private final Map<String, Integer> errors = new TreeMap<>();
    private final Map<String, Integer> servers = new TreeMap<>();
    private final long[] took;
    private int wrong;

    Burst(Client client, Fields fields, SerializeType usual) {
        count = atLeastOne("count", fields);
        concurrency = Math.min(count, atLeastOne("concurrency", fields));
        command = new CallCommand(fields, usual);
        service = client.service(command.service).blocking();
        took = new long[count];
        // Arguments that do not fit are refused before the first call.
        command.argument(CallCommand.numbered(command.args, 0));
    }

    private static int atLeastOne(String name, Fields fields) {
        int value = fields.count(name, 1);
        if (value == 0) {
            throw Lines.misuse(name + ": 0 is too few");
        }
        return value;
    }

    CompletableFuture<Map<String, Object>> run(Executor threads) {
        long began = System.nanoTime();
        CompletableFuture<?>[] callers = new CompletableFuture<?>[concurrency];
        for (int i = 0; i < concurrency; i++) {
            callers[i] = CompletableFuture.runAsync(this::caller, threads);
        }
        return CompletableFuture.allOf(callers).thenApply(none -> summary(System.nanoTime() - began));
    }

    private void caller() {
        for (int index = next.getAndIncrement(); index < count; index = next.getAndIncrement()) {
            Object argument = command.argument(CallCommand.numbered(command.args, index));
            long began = System.nanoTime();
            Response<?> response = null;
            RpcException failed = null;
            try {
                response = service.request(CallKind.CALL, command.method, argument, command.replyType(), command.options);
            } catch (RpcException e) {
                failed = e;
            }
            took[index] = System.nanoTime() - began;
            ended(argument, response, failed);
        }
    }

    private synchronized void ended(Object argument, Response<?> response, RpcException failed) {
        if (failed != null) {
            errors.merge(failed.kind().toString(), 1, Integer::sum);
            return;
        }
        servers.merge(response.server(), 1, Integer::sum);
        if (argument instanceof Arith.Args args && response.value() instanceof Arith.Reply reply
                && reply.C != expected(args, reply.C)) {
            wrong++;
        }
    }

    private long expected(Arith.Args args, long other) {
        return switch (command.method) {
            case "Mul" -> args.A * args.B;
            case "Add" -> args.A + args.B;
            case "Div" -> args.B == 0 ? args.A : args.A / args.B;
            default -> other;
        };
    }

    private Map<String, Object> summary(long nanos) {
        Arrays.sort(took);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ok", true);
        answer.put("count", count);
        answer.put("errors", errors);
        answer.put("wrong", wrong);
        answer.put("servers", servers);
        answer.put("calls_per_s", count / Math.max(1e-9, nanos / 1e9));
        answer.put("p50_ms", took[(int) (0.5 * (count - 1))] / 1000 / 1e3);
        answer.put("p99_ms", took[(int) (0.99 * (count - 1))] / 1000 / 1e3);
        return answer;
    }
}
