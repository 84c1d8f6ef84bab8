// Calls of every kind, between a client and a server of this package.
package io.github.librpcx;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.librpcx.Fixture.Args;
import io.github.librpcx.Fixture.Reply;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CallTest {
    private static final CallOptions NONE = CallOptions.DEFAULT;

    @RpcService("Arith")
    interface Calculator {
        Reply mul(Args args);

        CompletionStage<Reply> add(Args args, CallOptions options);

        @RpcMethod("Div")
        CompletableFuture<Response<Reply>> divide(Args args);

        @RpcMethod(oneway = true)
        void note(String text);

        default long square(long number) {
            return mul(new Args(number, number)).c();
        }
    }

    @Test
    void futuresAndBlockingCalls() throws Exception {
        try (Fixture fixture = new Fixture()) {
            assertEquals(new Reply(42), fixture.service().call("Mul", new Args(6, 7), Reply.class).get(20, SECONDS));
            assertEquals(new Reply(13), fixture.blocking().call("Add", new Args(6, 7), Reply.class));
            assertEquals(Map.of("C", 42), fixture.blocking().call("Mul", Map.of("A", 6, "B", 7), new TypeRef<Map<String, Integer>>() {}, NONE));
            assertNull(fixture.blocking().call("Nothing", null, Void.class));
        }
    }

    @Test
    void aResponseTellsWhatCameBeside() {
        try (Fixture fixture = new Fixture()) {
            CallOptions options = CallOptions.builder().metadata("key", "value").timeout(Duration.ofSeconds(20)).build();
            Response<?> response = fixture.blocking().request(CallKind.CALL, "About", null, Map.class, options);
            assertEquals("yes", response.metadata().get("seen"));
            assertEquals(fixture.server.addresses().get(0), response.server());
            assertEquals(1, response.attempts());
            Map<?, ?> about = (Map<?, ?>) response.value();
            assertEquals(List.of("Arith", "About", "value", "true"),
                    List.of(about.get("service"), about.get("method"), about.get("key"), about.get("remaining")));
            assertTrue(about.get("peer").toString().startsWith("127.0.0.1:"), about.toString());
        }
    }

    @Test
    void failuresHaveTheirClass() {
        try (Fixture fixture = new Fixture()) {
            RpcException.Service service = assertThrows(
                    RpcException.Service.class, () -> fixture.blocking().call("Div", new Args(1, 0), Reply.class));
            assertEquals("divide by zero", service.getMessage());
            assertEquals(Delivery.ANSWERED, service.delivery());
            assertTrue(service.getStackTrace().length > 0);
            RpcException.Service mistake = assertThrows(
                    RpcException.Service.class, () -> fixture.blocking().call("Boom", "bang", String.class));
            assertEquals("internal error in Arith.Boom: bang", mistake.getMessage());
            assertThrows(RpcException.Service.class, () -> fixture.blocking().call("Unknown", null, Void.class));
            ExecutionException wrapped = assertThrows(
                    ExecutionException.class, () -> fixture.service().call("Div", new Args(1, 0), Reply.class).get(20, SECONDS));
            assertEquals(RpcException.Service.class, wrapped.getCause().getClass());
            RpcException.Codec codec = assertThrows(
                    RpcException.Codec.class, () -> fixture.blocking().call("Mul", new Args(1, 1), Thread.State.class));
            assertEquals(Delivery.ANSWERED, codec.delivery());
            assertEquals(fixture.server.addresses().get(0), codec.server());
            List<Object> endless = new ArrayList<>();
            endless.add(endless);
            assertThrows(RpcException.Codec.class, () -> fixture.blocking().call("Mul", endless, Reply.class));
            assertEquals(new Reply(2), fixture.blocking().call("Mul", new Args(1, 2), Reply.class));
        }
    }

    @Test
    void aDeadlinePasses() {
        try (Fixture fixture = new Fixture()) {
            CallOptions quick = CallOptions.builder().timeout(Duration.ofMillis(50)).build();
            RpcException.Timeout late = assertThrows(
                    RpcException.Timeout.class, () -> fixture.blocking().call("Hang", null, Reply.class, quick));
            assertEquals(Delivery.MAYBE_RUN, late.delivery());
        }
    }

    @Test
    void cancellingTheFutureCancelsTheCall() throws Exception {
        try (Fixture fixture = new Fixture()) {
            CompletableFuture<Reply> call = fixture.service().call("Hang", null, Reply.class);
            assertTrue(fixture.arith.entered.await(20, SECONDS));
            assertTrue(call.cancel(true));
            assertThrows(CancellationException.class, call::join);
            assertTrue(fixture.arith.cancelled.get(20, SECONDS));
        }
    }

    @Test
    void anInterruptEndsABlockingCall() throws Exception {
        try (Fixture fixture = new Fixture()) {
            CompletableFuture<Object> ended = new CompletableFuture<>();
            Thread thread = new Thread(() -> {
                try {
                    fixture.blocking().call("Hang", null, Reply.class);
                } catch (RpcException.Cancelled e) {
                    ended.complete(Thread.currentThread().isInterrupted());
                }
            });
            thread.start();
            assertTrue(fixture.arith.entered.await(20, SECONDS));
            thread.interrupt();
            assertEquals(true, ended.get(20, SECONDS));
            assertTrue(fixture.arith.cancelled.get(20, SECONDS));
        }
    }

    @Test
    void interfacesAreClients() throws Exception {
        try (Fixture fixture = new Fixture()) {
            Calculator calculator = fixture.client.service(Calculator.class);
            assertEquals(new Reply(42), calculator.mul(new Args(6, 7)));
            assertEquals(new Reply(13), calculator.add(new Args(6, 7), null).toCompletableFuture().get(20, SECONDS));
            assertEquals(new Reply(3), calculator.divide(new Args(9, 3)).get(20, SECONDS).value());
            assertEquals(81, calculator.square(9));
            calculator.note("hello");
            assertEquals("hello", fixture.arith.oneway.get(20, SECONDS));
            assertTrue(calculator.toString().contains("Arith"));
            assertEquals(calculator, calculator);
            assertThrows(RpcException.Service.class, () -> {
                try {
                    calculator.divide(new Args(1, 0)).get(20, SECONDS);
                } catch (ExecutionException e) {
                    throw e.getCause();
                }
            });
        }
    }

    @Test
    void callsOfEveryServer() {
        try (Fixture one = new Fixture();
                Fixture two = new Fixture();
                Client client = Client.builder(List.of(one.server.addresses().get(0), two.server.addresses().get(0))).build()) {
            BlockingService arith = client.service("Arith").blocking();
            assertEquals(new Reply(42), arith.broadcast("Mul", new Args(6, 7), Reply.class, NONE));
            assertEquals(new Reply(42), arith.fork("Mul", new Args(6, 7), Reply.class, NONE));
            List<ServerReply<Reply>> replies = arith.inform("Mul", new Args(6, 7), Reply.class, NONE);
            assertEquals(2, replies.size());
            replies.forEach(reply -> assertEquals(new Reply(42), reply.response().value()));
            two.server.close();
            replies = arith.inform("Div", new Args(6, 0), Reply.class, NONE);
            assertEquals(2, replies.stream().filter(reply -> reply.error() != null).count());
            client.setNodes(List.of());
            assertThrows(RpcException.NoServer.class, () -> arith.inform("Mul", new Args(6, 7), Reply.class, NONE));
        }
    }

    @Test
    void batchesAndOneWayCalls() throws Exception {
        try (Fixture fixture = new Fixture()) {
            Batch batch = fixture.client.batch();
            List<CompletableFuture<Response<Reply>>> replies = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                replies.add(batch.request(fixture.service(), "Mul", new Args(i, 2), Reply.class, NONE));
            }
            CompletableFuture<?> bad = batch.request(fixture.service(), "Div", new Args(1, 0), Reply.class, NONE);
            batch.send().get(20, SECONDS);
            for (int i = 0; i < 100; i++) {
                assertEquals(new Reply(2L * i), replies.get(i).getNow(null).value());
            }
            assertTrue(bad.isCompletedExceptionally());
            fixture.blocking().oneway("Note", "over", NONE);
            assertEquals("over", fixture.arith.oneway.get(20, SECONDS));
            fixture.service().oneshot("Note", "again", NONE).get(20, SECONDS);
        }
    }

    @Test
    void pushesAreHeard() throws Exception {
        try (Fixture fixture = new Fixture()) {
            List<String> heard = new ArrayList<>();
            fixture.client.onPush(push -> {
                synchronized (heard) {
                    heard.add(push.method() + push.metadata().get("n"));
                }
                throw new IllegalStateException("listeners may fail");
            });
            try (Pushes pushes = fixture.client.pushes()) {
                fixture.blocking().call("Push", null, Void.class);
                for (int i = 0; i < 3; i++) {
                    Push push = pushes.poll(Fixture.PATIENCE);
                    assertNotNull(push);
                    assertArrayEquals(new byte[] {(byte) i}, push.payload());
                }
                assertNull(pushes.poll(Duration.ofMillis(1)));
            }
            Fixture.until("the listener has heard all", () -> {
                synchronized (heard) {
                    return heard.equals(List.of("Pushed0", "Pushed1", "Pushed2"));
                }
            });
        }
    }

    @Test
    void interceptorsOfAClientAreOutermost() throws Exception {
        List<String> seen = new ArrayList<>();
        try (Fixture fixture = new Fixture();
                Client client = Client.builder(fixture.server.addresses().get(0))
                        .interceptor((call, next) -> {
                            seen.add("outer " + call.service() + "." + call.method());
                            return next.proceed(call.withMetadata("key", "set"));
                        })
                        .interceptor((call, next) -> {
                            seen.add("inner " + call.options().metadata().get("key"));
                            return call.method().equals("Cached")
                                    ? CompletableFuture.completedFuture(new Response<>("cached", Map.of(), null, 0))
                                    : next.proceed(call);
                        })
                        .build()) {
            Service arith = client.service("Arith");
            assertEquals("set", arith.blocking().call("About", null, Map.class).get("key"));
            assertEquals("cached", arith.call("Cached", null, String.class).get(20, SECONDS));
            assertEquals(List.of("outer Arith.About", "inner set", "outer Arith.Cached", "inner set"), seen);
            CompletableFuture<Reply> hanging = arith.call("Hang", null, Reply.class);
            assertTrue(fixture.arith.entered.await(20, SECONDS));
            hanging.cancel(true);
            assertTrue(fixture.arith.cancelled.get(20, SECONDS));
        }
    }

    @Test
    void serversHaveAllTheirParts() throws Exception {
        try (Server server = Server.builder()
                        .listen("tcp@127.0.0.1:0")
                        .function("Fn", "Greet", String.class, (context, name) -> "hi " + name)
                        .asyncFunction("Fn", "Raw", byte[].class, (context, bytes) -> CompletableFuture.completedFuture(bytes))
                        .fallback((context, bytes) -> CompletableFuture.completedFuture(
                                (context.service() + "." + context.method()).getBytes(StandardCharsets.UTF_8)))
                        .alias("Alias", "Hello", "Fn", "Greet")
                        .authenticator(request -> request.token().equals("secret")
                                ? CompletableFuture.completedFuture(null)
                                : CompletableFuture.failedFuture(RpcException.service("invalid token")))
                        .interceptor((context, argument, next) -> {
                            context.setMetadata("intercepted", "yes");
                            return argument instanceof String text ? next.proceed(text + "!") : next.proceed(argument);
                        })
                        .executor(Executors.newCachedThreadPool())
                        .option("max_in_flight", 100)
                        .start();
                Client client = Client.builder(server.addresses().get(0)).auth("secret").build();
                Client stranger = Client.builder(server.addresses().get(0)).auth("guess").build()) {
            Response<String> greeting = client.service("Fn").blocking()
                    .request(CallKind.CALL, "Greet", "ada", String.class, NONE);
            assertEquals("hi ada!", greeting.value());
            assertEquals("yes", greeting.metadata().get("intercepted"));
            assertEquals("hi bob!", client.service("Alias").blocking().call("Hello", "bob", String.class));
            byte[] large = new byte[3 << 20];
            large[large.length - 1] = 7;
            assertArrayEquals(large, client.service("Fn").blocking().call("Raw", large, byte[].class));
            assertEquals("Any.Thing", new String(
                    client.service("Any").blocking().call("Thing", new byte[0], byte[].class), StandardCharsets.UTF_8));
            RpcException refused = assertThrows(
                    RpcException.class, () -> stranger.service("Fn").blocking().call("Greet", "eve", String.class));
            assertEquals("invalid token", refused.getMessage());
            assertTrue(server.statsJson().contains("\"calls\""));
            assertTrue(server.metrics("s").contains("rpcx_"));
            assertTrue(client.metrics("c").contains("rpcx_"));
        }
    }

    @Test
    void handlersRunWhereTheirFormSays() {
        try (Fixture fixture = new Fixture()) {
            assertTrue(fixture.blocking().call("Thread", null, String.class).startsWith("rpcx-worker-"));
            assertTrue(fixture.blocking().call("Poller", null, String.class).startsWith("rpcx-server-"));
        }
    }

    @Test
    void nestedCallsInherit() {
        try (Fixture inner = new Fixture();
                Server outer = Server.builder()
                        .listen("tcp@127.0.0.1:0")
                        .function("Outer", "Call", String.class, (context, text) -> {
                            // Found by the thread: no option names it.
                            Map<?, ?> about = inner.blocking().call("About", null, Map.class);
                            return about.get("key") + " " + about.get("remaining");
                        })
                        .start();
                Client client = Client.builder(outer.addresses().get(0)).build()) {
            CallOptions options = CallOptions.builder().metadata("traceparent", "x").timeout(Duration.ofSeconds(20)).build();
            assertEquals(" true", client.service("Outer").blocking().call("Call", "x", String.class, options));
        }
    }
}
