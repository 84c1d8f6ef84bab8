// Ends of every kind: errors, never crashes or hangs.
package io.github.librpcx;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.librpcx.Fixture.Args;
import io.github.librpcx.Fixture.Reply;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(90)
class LifetimeTest {
    @Test
    void closingEndsWhatRuns() throws Exception {
        try (Fixture fixture = new Fixture()) {
            List<CompletableFuture<Reply>> calls = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                calls.add(fixture.service().call("Hang", null, Reply.class));
            }
            assertTrue(fixture.arith.entered.await(20, SECONDS));
            fixture.client.close();
            fixture.client.close();
            for (CompletableFuture<Reply> call : calls) {
                ExecutionException ended = assertThrows(ExecutionException.class, () -> call.get(20, SECONDS));
                assertEquals(RpcException.Closed.class, ended.getCause().getClass());
            }
        }
    }

    @Test
    void whatIsClosedSaysSo() throws Exception {
        Fixture fixture = new Fixture();
        Service service = fixture.service();
        Batch batch = fixture.client.batch();
        fixture.close();
        assertThrows(RpcException.Closed.class, () -> service.blocking().call("Mul", new Args(1, 1), Reply.class));
        ExecutionException ended = assertThrows(
                ExecutionException.class, () -> service.oneway("Note", "x", CallOptions.DEFAULT).get(20, SECONDS));
        assertEquals(RpcException.Closed.class, ended.getCause().getClass());
        CompletableFuture<?> late = batch.request(service, "Mul", new Args(1, 1), Reply.class, CallOptions.DEFAULT);
        batch.send().get(20, SECONDS);
        assertTrue(late.isCompletedExceptionally());
        assertNull(fixture.client.shutdown(Duration.ofSeconds(1)).get(20, SECONDS));
        assertTrue(fixture.client.statsJson().contains("calls"));
        assertNull(fixture.server.shutdown(Duration.ofSeconds(1)).get(20, SECONDS));
        fixture.server.awaitClosed();
        try (Pushes pushes = fixture.client.pushes()) {
            assertNull(pushes.poll(Duration.ofMillis(1)));
        }
    }

    @Test
    void shutdownWaitsForCallsUnderWay() throws Exception {
        CompletableFuture<String> answer = new CompletableFuture<>();
        CompletableFuture<Boolean> entered = new CompletableFuture<>();
        try (Server server = Server.builder()
                        .listen("tcp@127.0.0.1:0")
                        .asyncFunction("S", "Wait", String.class, (context, text) -> {
                            entered.complete(true);
                            return answer;
                        })
                        .start();
                Client client = Client.open(server.addresses().get(0))) {
            CompletableFuture<String> call = client.service("S").call("Wait", "x", String.class);
            assertTrue(entered.get(20, SECONDS));
            CompletableFuture<Void> stopped = server.shutdown(Fixture.PATIENCE);
            CompletableFuture<Void> left = client.shutdown(Fixture.PATIENCE);
            assertFalse(call.isDone());
            answer.complete("done");
            assertEquals("done", call.get(20, SECONDS));
            left.get(20, SECONDS);
            stopped.get(20, SECONDS);
        }
    }

    @Test
    void aForgottenClientIsClosed() throws Exception {
        try (Fixture fixture = new Fixture()) {
            String address = fixture.server.addresses().get(0);
            String poller = forget(address);
            Fixture.until("the poller of a forgotten client ends", () -> {
                System.gc();
                return Thread.getAllStackTraces().keySet().stream().noneMatch(thread -> thread.getName().equals(poller));
            });
        }
    }

    /** Makes a client that nobody keeps, and tells the name of its thread. */
    private static String forget(String address) throws Exception {
        Client client = Client.open(address);
        CompletableFuture<String> name = client.service("Arith")
                .call("Mul", new Args(1, 1), Reply.class)
                .thenApply(reply -> Thread.currentThread().getName());
        name.get(20, SECONDS);
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(one -> one.startsWith("rpcx-client-"))
                .max((a, b) -> Integer.compare(number(a), number(b)))
                .orElseThrow();
    }

    private static int number(String name) {
        return Integer.parseInt(name.substring(name.lastIndexOf('-') + 1));
    }

    @Test
    void callbacksMayFailAndClose() throws Exception {
        try (Fixture fixture = new Fixture()) {
            CompletableFuture<Void> failed = fixture.service()
                    .call("Mul", new Args(1, 1), Reply.class)
                    .thenAccept(reply -> {
                        throw new IllegalStateException("a callback");
                    });
            assertThrows(CompletionException.class, failed::join);
            assertEquals(new Reply(2), fixture.blocking().call("Mul", new Args(1, 2), Reply.class));
            CompletableFuture<Void> closed = fixture.service()
                    .call("Mul", new Args(1, 1), Reply.class)
                    .thenRun(fixture.client::close);
            closed.get(20, SECONDS);
            assertThrows(RpcException.Closed.class, () -> fixture.blocking().call("Mul", new Args(1, 2), Reply.class));
        }
    }

    @Test
    void aBlockingCallOnThePollerIsRefused() throws Exception {
        try (Fixture fixture = new Fixture()) {
            CompletableFuture<Reply> nested = fixture.service()
                    .call("Hang", null, Reply.class, CallOptions.builder().timeout(Duration.ofMillis(50)).build())
                    .handle((reply, error) -> fixture.blocking().call("Mul", new Args(1, 1), Reply.class));
            ExecutionException refused = assertThrows(ExecutionException.class, () -> nested.get(20, SECONDS));
            assertEquals(RpcException.Config.class, refused.getCause().getClass());
        }
    }

    @Test
    void anExecutorTakesTheReplies() throws Exception {
        try (Fixture fixture = new Fixture();
                Client client = Client.builder(fixture.server.addresses().get(0))
                        .executor(body -> new Thread(body, "mine").start())
                        .build()) {
            Service arith = client.service("Arith");
            // Not complete yet when the continuation is added, so that it runs on the executor.
            CompletableFuture<String> where = arith
                    .call("Hang", null, Reply.class, CallOptions.builder().timeout(Duration.ofMillis(50)).build())
                    .handle((reply, error) -> Thread.currentThread().getName()
                            + arith.blocking().call("Mul", new Args(2, 2), Reply.class).c());
            assertEquals("mine4", where.get(20, SECONDS));
        }
    }

    @Test
    void manyThreadsCallAtOnce() throws Exception {
        try (Fixture fixture = new Fixture()) {
            List<CompletableFuture<Void>> threads = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                int factor = thread;
                CompletableFuture<Void> done = new CompletableFuture<>();
                threads.add(done);
                new Thread(() -> {
                    try {
                        for (int i = 0; i < 300; i++) {
                            assertEquals(new Reply((long) i * factor), fixture.blocking().call("Mul", new Args(i, factor), Reply.class));
                        }
                        done.complete(null);
                    } catch (RuntimeException | Error e) {
                        done.completeExceptionally(e);
                    }
                }).start();
            }
            for (CompletableFuture<Void> thread : threads) {
                thread.get(60, SECONDS);
            }
        }
    }

    @Test
    void exitInTheMiddleOfACallIsQuick() throws Exception {
        String output = child("exit");
        assertTrue(output.contains("under way"), output);
    }

    @Test
    void theJvmFindsNoFaultWithTheBoundary() throws Exception {
        String output = child("calls");
        assertTrue(output.contains("all done"), output);
        assertFalse(output.contains("WARNING") || output.contains("FATAL"), output);
    }

    private static String child(String what) throws Exception {
        return Jvm.run(Jvm.own(), List.of("-Xcheck:jni", "-Xmx128m"), Child.class, what);
    }

    /** A JVM of its own. */
    static final class Child {
        private Child() {}

        public static void main(String[] args) throws Exception {
            Fixture fixture = new Fixture();
            if (args[0].equals("exit")) {
                List<CompletableFuture<Reply>> calls = new ArrayList<>();
                for (int i = 0; i < 100; i++) {
                    calls.add(fixture.service().call("Hang", null, Reply.class));
                }
                fixture.arith.entered.await();
                System.out.println(calls.size() + " under way");
                return;
            }
            for (int i = 0; i < 200; i++) {
                fixture.blocking().call("Mul", new Args(i, i), Reply.class);
            }
            fixture.blocking().call("Size", 200_000L, byte[].class);
            assertThrows(RpcException.class, () -> fixture.blocking().call("Boom", "x", String.class));
            assertThrows(RpcException.class, () -> Client.open("nothing@here"));
            fixture.blocking().call("About", null, Object.class);
            fixture.blocking().call("Push", null, Void.class);
            fixture.close();
            System.out.println("all done");
        }
    }

    @Test
    void twoClassLoadersHaveALibraryEach() throws Exception {
        List<URL> urls = new ArrayList<>();
        Pattern separator = Pattern.compile(Pattern.quote(System.getProperty("path.separator")));
        for (String entry : separator.splitAsStream(System.getProperty("java.class.path")).toList()) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        List<String> versions = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            try (URLClassLoader loader = new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader())) {
                Class<?> library = loader.loadClass(Rpcx.class.getName());
                assertFalse(library == Rpcx.class);
                versions.add((String) library.getMethod("version").invoke(null));
            }
        }
        assertEquals(Arrays.asList(Rpcx.version(), Rpcx.version()), versions);
    }
}
