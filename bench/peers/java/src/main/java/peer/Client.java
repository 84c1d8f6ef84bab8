package peer;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import pb.Benchmark.BenchmarkMessage;
import pb.HelloGrpc;

/** The closed loops: a thread for each caller, or futures. */
final class Client {
    private static final int PAUSE = 5; // milliseconds after a failure

    private Client() {}

    /** Measures, prints the report and ends the process. */
    static void call(Options options) throws InterruptedException {
        Window window = new Window(options);
        ManagedChannel[] channels = new ManagedChannel[options.connections()];
        for (int i = 0; i < channels.length; i++) {
            NettyChannelBuilder builder =
                    NettyChannelBuilder.forAddress(options.address()).flowControlWindow(Server.WINDOW).usePlaintext();
            if (!options.pool()) {
                builder.directExecutor();
            }
            channels[i] = builder.build();
        }
        for (int i = 0; i < options.callers(); i++) {
            ManagedChannel channel = channels[i % channels.length];
            if (options.blocking()) {
                Thread caller = new Thread(() -> block(HelloGrpc.newBlockingStub(channel), window));
                caller.setDaemon(true);
                caller.start();
            } else {
                new Caller(HelloGrpc.newFutureStub(channel), window).next();
            }
        }
        window.run();
    }

    private static void block(HelloGrpc.HelloBlockingStub stub, Window window) {
        BenchmarkMessage request = Message.request();
        while (window.running()) {
            long began = System.nanoTime();
            try {
                Message.check(stub.say(request));
                window.done(System.nanoTime() - began);
            } catch (StatusRuntimeException | IllegalStateException e) {
                window.failed(e);
                pause();
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A caller without a thread: the end of a call starts the next one. */
    private static final class Caller implements FutureCallback<BenchmarkMessage> {
        private final BenchmarkMessage request = Message.request();
        private final HelloGrpc.HelloFutureStub stub;
        private final Window window;
        private long began;

        Caller(HelloGrpc.HelloFutureStub stub, Window window) {
            this.stub = stub;
            this.window = window;
        }

        void next() {
            began = System.nanoTime();
            Futures.addCallback(stub.say(request), this, MoreExecutors.directExecutor());
        }

        @Override
        public void onSuccess(BenchmarkMessage reply) {
            try {
                Message.check(reply);
            } catch (IllegalStateException e) {
                onFailure(e);
                return;
            }
            window.done(System.nanoTime() - began);
            if (window.running()) {
                next();
            }
        }

        @Override
        public void onFailure(Throwable error) {
            window.failed(error);
            if (window.running()) {
                CompletableFuture.delayedExecutor(PAUSE, TimeUnit.MILLISECONDS).execute(this::next);
            }
        }
    }
}
