// The interop driver.
package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.github.librpcx.Batch;
import io.github.librpcx.CallKind;
import io.github.librpcx.Client;
import io.github.librpcx.Delivery;
import io.github.librpcx.Push;
import io.github.librpcx.Pushes;
import io.github.librpcx.Response;
import io.github.librpcx.RpcException;
import io.github.librpcx.SerializeType;
import io.github.librpcx.ServerReply;
import io.github.librpcx.Service;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** Reads commands, one JSON object a line, and answers each with a line of the same id. */
public final class Driver {
    private static final String USAGE = """
            usage: client

            Drives the interop test services. Reads commands from stdin, one JSON object a line, and answers each on stdout with a
            line of the same id:

              {"id":1,"do":"client","name":"c","discovery":"tcp@127.0.0.1:8972"}
              {"id":2,"do":"call","client":"c","service":"Arith","method":"Mul","args":{"A":6,"B":7}}

            do: client update call oneway oneshot batch broadcast fork inform burst cancel pushes stats shutdown close sleep. At the
            end of input every client is closed.
            """;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    /** For commands that wait. */
    private final Executor waiting = Executors.newCachedThreadPool(body -> {
        Thread thread = new Thread(body);
        thread.setDaemon(true);
        return thread;
    });

    private final Map<String, Named> clients = new HashMap<>();
    private final Map<String, Running> running = new ConcurrentHashMap<>();
    private final Set<CompletableFuture<?>> unfinished = ConcurrentHashMap.newKeySet();

    /** A client with what its commands need besides. */
    private record Named(Client client, SerializeType serializeType, Pushes[] pushes) {}

    /** A command that runs, and what cancelling it ends. */
    private record Running(CompletableFuture<Map<String, Object>> answer, CompletableFuture<?> call) {}

    private Driver() {}

    /** Obeys standard input until it ends. */
    public static void main(String[] args) throws IOException {
        new Args(args, USAGE, Set.of());
        Driver driver = new Driver();
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (!line.isBlank()) {
                    driver.line(line);
                }
            }
        }
        driver.clients.values().forEach(named -> named.client.close());
        driver.finish();
        System.exit(0);
    }

    private void finish() {
        for (CompletableFuture<?> one : unfinished) {
            one.handle((value, error) -> value).join();
        }
    }

    private void line(String line) {
        if (!(Lines.parse(line) instanceof ObjectNode command)) {
            print(null, failure(Lines.misuse("a command is a JSON object on one line")));
            return;
        }
        JsonNode id = command.remove("id");
        try {
            Fields fields = new Fields(command);
            if (fields.flag("wait", false)) {
                finish();
            }
            begin(id, fields);
        } catch (RpcException e) {
            print(id, failure(e));
        }
    }

    private void begin(JsonNode id, Fields fields) {
        String command = fields.text("do");
        switch (command) {
            case "client" -> {
                makeClient(fields);
                print(id, ok());
            }
            case "update" -> {
                Client client = client(fields).client;
                List<String> nodes = nodes(fields.take("discovery"));
                fields.done();
                client.setNodes(nodes);
                print(id, ok());
            }
            case "cancel" -> {
                JsonNode call = fields.take("call");
                fields.done();
                Running found = call == null ? null : running.remove(call.toString());
                if (found == null) {
                    throw Lines.misuse("call: " + call + " does not run");
                }
                found.call.cancel(true);
                found.answer.complete(failure(new CancellationException()));
                print(id, ok());
            }
            case "call", "broadcast", "fork" -> {
                CallKind kind = CallKind.valueOf(command.toUpperCase(java.util.Locale.ROOT));
                Named named = client(fields);
                CallCommand call = new CallCommand(fields, named.serializeType);
                fields.done();
                long began = System.nanoTime();
                CompletableFuture<? extends Response<?>> made = named.client.service(call.service)
                        .request(kind, call.method, call.argument(call.args), call.replyType(), call.options);
                goOn(id, made, made.thenApply(response -> call.answer(response, began)));
            }
            case "inform" -> inform(id, fields);
            case "oneway", "oneshot" -> {
                Named named = client(fields);
                CallCommand call = new CallCommand(fields, named.serializeType);
                fields.done();
                Service service = named.client.service(call.service);
                Object argument = call.argument(call.args);
                CompletableFuture<Void> sent = command.equals("oneway")
                        ? service.oneway(call.method, argument, call.options)
                        : service.oneshot(call.method, argument, call.options);
                goOn(id, sent, sent.thenApply(none -> ok()));
            }
            case "batch" -> batch(id, fields);
            case "burst" -> {
                Named named = client(fields);
                Burst burst = new Burst(named.client, fields, named.serializeType);
                fields.done();
                CompletableFuture<Map<String, Object>> done = burst.run(waiting);
                goOn(id, done, done);
            }
            case "pushes" -> pushes(id, fields);
            case "stats" -> {
                Client client = client(fields).client;
                fields.done();
                Map<String, Object> answer = ok();
                answer.put("stats", new RawValue(client.statsJson()));
                print(id, answer);
            }
            case "shutdown", "close" -> {
                Client client = client(fields).client;
                Duration timeout = fields.time("timeout");
                fields.done();
                Duration patience = command.equals("close") ? Duration.ZERO : timeout == null ? PATIENCE : timeout;
                if (patience.isZero()) {
                    client.close();
                    print(id, ok());
                } else {
                    // Calls that it cuts off say so themselves.
                    CompletableFuture<Void> ended = client.shutdown(patience);
                    goOn(id, ended, ended.handle((none, error) -> ok()));
                }
            }
            case "sleep" -> {
                Duration time = fields.time("ms");
                fields.done();
                if (time == null) {
                    throw Lines.misuse("ms is missing");
                }
                CompletableFuture<Map<String, Object>> slept = new CompletableFuture<Map<String, Object>>()
                        .completeOnTimeout(ok(), time.toNanos(), TimeUnit.NANOSECONDS);
                goOn(id, slept, slept);
            }
            default -> throw Lines.misuse("unknown command \"" + command + "\"");
        }
    }

    private Named client(Fields fields) {
        String name = fields.text("client");
        Named named = clients.get(name);
        if (named == null) {
            throw Lines.misuse("unknown client \"" + name + "\"");
        }
        return named;
    }

    private void makeClient(Fields fields) {
        String name = fields.text("name");
        JsonNode discovery = fields.take("discovery");
        Client.Builder builder;
        if (discovery != null && discovery.isTextual()) {
            builder = Client.builder(discovery.textValue());
        } else {
            builder = Client.builder(nodes(discovery));
        }
        // No deadline unless a case sets one.
        builder.timeout(Duration.ZERO).codec(SerializeType.PROTOBUF, new Arith.Protobuf());
        SerializeType[] serialize = {SerializeType.MSGPACK};
        fields.object("options").forEach((option, value) -> {
            if (value.isObject()) {
                value.fields().forEachRemaining(one -> builder.option(
                        option + "." + one.getKey(), Fields.option(option + "." + one.getKey(), one.getValue())));
                return;
            }
            String text = Fields.option(option, value);
            builder.option(option, text);
            if (option.equals("serialize_type")) {
                serialize[0] = io.github.librpcx.CallOptions.builder().option(option, text).build().serializeType();
            }
        });
        JsonNode tls = fields.take("tls");
        if (tls != null && !tls.isNull()) {
            if (!tls.isObject()) {
                throw Lines.misuse("tls: " + tls + " is no object");
            }
            builder.option("tls.enabled", true);
            tls.fields().forEachRemaining(
                    one -> builder.option("tls." + one.getKey(), Fields.option("tls." + one.getKey(), one.getValue())));
        }
        fields.done();
        Named old = clients.put(name, new Named(builder.build(), serialize[0], new Pushes[1]));
        if (old != null) {
            old.client.close();
        }
    }

    private static List<String> nodes(JsonNode discovery) {
        List<String> nodes = new ArrayList<>();
        if (discovery != null && discovery.isTextual()) {
            String text = discovery.textValue();
            for (String node : (text.startsWith("multiple://") ? text.substring("multiple://".length()) : text).split(",")) {
                nodes.add(node);
            }
            return nodes;
        }
        if (discovery == null || !discovery.isArray()) {
            throw Lines.misuse("discovery: " + discovery + " is neither an address or URL nor a list of addresses");
        }
        discovery.forEach(node -> {
            if (!node.isTextual()) {
                throw Lines.misuse("discovery: " + node + " is no address");
            }
            nodes.add(node.textValue());
        });
        return nodes;
    }

    private void inform(JsonNode id, Fields fields) {
        Named named = client(fields);
        CallCommand call = new CallCommand(fields, named.serializeType);
        fields.done();
        long began = System.nanoTime();
        var made = named.client.service(call.service)
                .inform(call.method, call.argument(call.args), call.replyType(), call.options);
        goOn(id, made, made.thenApply(replies -> {
            List<Map<String, Object>> all = new ArrayList<>();
            for (ServerReply<?> reply : replies) {
                all.add(reply.error() == null ? call.answer(reply.response(), began) : failure(reply.error()));
            }
            Map<String, Object> answer = ok();
            answer.put("replies", all);
            return answer;
        }));
    }

    private void batch(JsonNode id, Fields fields) {
        Named named = client(fields);
        JsonNode calls = fields.take("calls");
        fields.done();
        if (calls == null || !calls.isArray()) {
            throw Lines.misuse("calls: expected a list of calls");
        }
        Batch batch = named.client.batch();
        long began = System.nanoTime();
        List<CallCommand> commands = new ArrayList<>();
        List<Object> arguments = new ArrayList<>();
        for (JsonNode one : calls) {
            if (!(one instanceof ObjectNode call)) {
                throw Lines.misuse("calls: " + one + " is no object");
            }
            Fields inner = new Fields(call);
            CallCommand command = new CallCommand(inner, named.serializeType);
            inner.done();
            arguments.add(command.argument(command.args));
            commands.add(command);
        }
        List<CompletableFuture<Map<String, Object>>> replies = new ArrayList<>();
        for (int i = 0; i < commands.size(); i++) {
            CallCommand command = commands.get(i);
            replies.add(batch.request(
                            named.client.service(command.service), command.method, arguments.get(i), command.replyType(), command.options)
                    .handle((response, error) -> error == null ? command.answer(response, began) : failure(error)));
        }
        batch.send();
        CompletableFuture<Void> all = CompletableFuture.allOf(replies.toArray(new CompletableFuture<?>[0]));
        goOn(id, all, all.thenApply(none -> {
            Map<String, Object> answer = ok();
            answer.put("replies", replies.stream().map(CompletableFuture::join).toList());
            return answer;
        }));
    }

    private void pushes(JsonNode id, Fields fields) {
        Named named = client(fields);
        int count = fields.count("count", 1);
        Duration timeout = fields.time("timeout");
        fields.done();
        if (named.pushes[0] == null) {
            named.pushes[0] = named.client.pushes();
        }
        Pushes pushes = named.pushes[0];
        CompletableFuture<Map<String, Object>> done = CompletableFuture.supplyAsync(() -> {
            long end = System.nanoTime() + (timeout == null ? Long.MAX_VALUE / 2 : timeout.toNanos());
            List<Map<String, Object>> came = new ArrayList<>();
            try {
                while (came.size() < count) {
                    Push push = pushes.poll(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
                    if (push == null) {
                        break;
                    }
                    Map<String, Object> shown = new LinkedHashMap<>();
                    shown.put("service", push.service());
                    shown.put("method", push.method());
                    shown.put("metadata", CallCommand.visible(push.metadata()));
                    shown.put("hex", push.payload());
                    came.add(shown);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            Map<String, Object> answer = ok();
            answer.put("pushes", came);
            return answer;
        }, waiting);
        goOn(id, done, done);
    }

    /** Prints the answer when there is one; until then the command can be cancelled. */
    private void goOn(JsonNode id, CompletableFuture<?> call, CompletableFuture<Map<String, Object>> result) {
        CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
        Running entry = new Running(answer, call);
        String key = String.valueOf(id);
        running.put(key, entry);
        // Done when it was printed: the end of input waits for that.
        CompletableFuture<Void> printed = answer.thenAccept(fields -> {
            running.remove(key, entry);
            print(id, fields);
        });
        unfinished.add(printed);
        printed.whenComplete((none, error) -> unfinished.remove(printed));
        result.whenComplete((fields, error) -> answer.complete(error == null ? fields : failure(error)));
    }

    private static Map<String, Object> ok() {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ok", true);
        return answer;
    }

    static Map<String, Object> failure(Throwable error) {
        Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
        RpcException told;
        int attempts;
        if (cause instanceof RpcException rpc) {
            told = rpc;
            attempts = rpc.attempts();
        } else if (cause instanceof CancellationException) {
            // Nobody tells how often it was tried: once, as most are.
            told = RpcException.of("cancelled.caller", "the command was cancelled", Delivery.MAYBE_RUN, null);
            attempts = 1;
        } else {
            told = RpcException.of("internal.bug", String.valueOf(cause), Delivery.MAYBE_RUN, cause);
            attempts = 0;
        }
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("kind", told.kind().toString());
        shown.put("code", told.code());
        shown.put("delivery", told.delivery().toString());
        shown.put("message", told.getMessage());
        shown.put("server", told.server());
        shown.put("attempts", attempts);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("ok", false);
        answer.put("error", shown);
        return answer;
    }

    private static void print(JsonNode id, Map<String, Object> fields) {
        Map<String, Object> answer = new LinkedHashMap<>(fields);
        answer.put("id", id);
        synchronized (OUT) {
            OUT.println(Lines.text(answer));
            OUT.flush();
        }
    }
}
