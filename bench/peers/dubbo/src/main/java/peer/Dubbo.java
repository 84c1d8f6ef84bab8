package peer;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import pb.Benchmark.BenchmarkMessage;
import pb.DubboHelloTriple;
import pb.Hello;

/**
 * Dubbo without a registry, threads and serialisation as they come.
 *
 * <p>It replaces 127.* and localhost by the address of a network card, and keeps one connection for each address as it is written:
 * hence the loopback address as a mapped IPv6 one, written differently for each connection.
 */
final class Dubbo {
    private static final int TIMEOUT = 20_000; // milliseconds
    private static final int QUEUE = 100_000; // its 200 threads refuse the 201st call otherwise
    private static final int PAUSE = 5; // milliseconds after a failure

    private Dubbo() {}

    private static DubboBootstrap begin() {
        System.setProperty("dubbo.application.logger", "jdk");
        Logger.getLogger("").setLevel(Level.SEVERE);
        ApplicationConfig application = new ApplicationConfig("peer");
        application.setQosEnable(false); // or it opens a port of its own
        application.setEnableFileCache(false);
        return DubboBootstrap.getInstance().application(application).registry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
    }

    /** 127.0.0.1 as ::ffff:127.0.0.1 in one of its 1024 spellings. */
    private static String loopback(int spelling) {
        StringBuilder text = new StringBuilder();
        int zeros = spelling;
        for (int group = 0; group < 5; group++, zeros >>= 2) {
            text.append("0".repeat(1 + (zeros & 3))).append(':');
        }
        return text + "ffff:127.0.0.1";
    }

    /** Serves until the process is ended. */
    static void serve(Options options, boolean triple) {
        ProtocolConfig protocol = new ProtocolConfig(triple ? "tri" : "dubbo", options.address().getPort());
        protocol.setHost(loopback(0));
        protocol.setQueues(QUEUE);
        DubboBootstrap bootstrap = begin().protocol(protocol);
        if (triple) {
            ServiceConfig<Hello> service = new ServiceConfig<>();
            service.setInterface(Hello.class);
            service.setRef(new DubboHelloTriple.HelloImplBase() {
                @Override
                public BenchmarkMessage say(BenchmarkMessage message) {
                    return Message.answer(message);
                }
            });
            bootstrap.service(service);
        } else {
            ServiceConfig<Plain.Service> service = new ServiceConfig<>();
            service.setInterface(Plain.Service.class);
            service.setRef(new Plain.Service() {
                @Override
                public Plain.Message say(Plain.Message message) {
                    return Plain.answer(message);
                }

                @Override
                public CompletableFuture<Plain.Message> sayAsync(Plain.Message message) {
                    return CompletableFuture.completedFuture(Plain.answer(message));
                }
            });
            bootstrap.service(service);
        }
        bootstrap.start().await();
    }

    /** Measures, prints the report and ends the process. */
    static void call(Options options, boolean triple) throws InterruptedException {
        Window window = new Window(options);
        DubboBootstrap bootstrap = begin();
        List<Supplier<Starts>> connections = new ArrayList<>();
        for (int i = 0; i < options.connections(); i++) {
            String url = (triple ? "tri" : "dubbo") + "://[" + loopback(i) + "]:" + options.address().getPort();
            if (triple) {
                ReferenceConfig<Hello> reference = reference(Hello.class, url);
                bootstrap.reference(reference);
                BenchmarkMessage request = Message.request();
                connections.add(() -> {
                    Hello hello = reference.get();
                    return done -> end(hello.sayAsync(request), Message::check, done);
                });
            } else {
                ReferenceConfig<Plain.Service> reference = reference(Plain.Service.class, url);
                bootstrap.reference(reference);
                Plain.Message request = Plain.request();
                connections.add(() -> {
                    Plain.Service hello = reference.get();
                    return done -> end(hello.sayAsync(request), Plain::check, done);
                });
            }
        }
        bootstrap.start();
        List<Starts> made = connections.stream().map(Supplier::get).toList();
        for (int i = 0; i < options.callers(); i++) {
            new Caller(made.get(i % made.size()), window).next();
        }
        window.run();
    }

    private static <T> ReferenceConfig<T> reference(Class<T> type, String url) {
        ReferenceConfig<T> reference = new ReferenceConfig<>();
        reference.setInterface(type);
        reference.setUrl(url);
        reference.setTimeout(TIMEOUT);
        reference.setRetries(0);
        return reference;
    }

    /** Starts a call; its end is told with null or what went wrong. */
    private interface Starts {
        void start(Consumer<Throwable> done);
    }

    private static <M> void end(CompletableFuture<M> reply, Consumer<M> check, Consumer<Throwable> done) {
        reply.whenComplete((message, error) -> {
            Throwable wrong = error;
            if (wrong == null) {
                try {
                    check.accept(message);
                } catch (IllegalStateException e) {
                    wrong = e;
                }
            }
            done.accept(wrong);
        });
    }

    /** A caller without a thread: the end of a call starts the next one. */
    private static final class Caller {
        private final Starts connection;
        private final Window window;
        private long began;

        Caller(Starts connection, Window window) {
            this.connection = connection;
            this.window = window;
        }

        void next() {
            began = System.nanoTime();
            connection.start(this::ended);
        }

        private void ended(Throwable error) {
            if (error == null) {
                window.done(System.nanoTime() - began);
                if (window.running()) {
                    next();
                }
            } else {
                window.failed(error);
                if (window.running()) {
                    CompletableFuture.delayedExecutor(PAUSE, TimeUnit.MILLISECONDS).execute(this::next);
                }
            }
        }
    }
}
