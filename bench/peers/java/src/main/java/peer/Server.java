package peer;

import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import pb.Benchmark.BenchmarkMessage;
import pb.HelloGrpc;

/** The server, on the shaded Netty. */
final class Server extends HelloGrpc.HelloImplBase {
    /** Flow control that stays out of the way. */
    static final int WINDOW = 8 << 20;

    @Override
    public void say(BenchmarkMessage request, StreamObserver<BenchmarkMessage> reply) {
        reply.onNext(Message.answer(request));
        reply.onCompleted();
    }

    /** Serves until the process is ended. */
    static void serve(Options options) throws IOException, InterruptedException {
        NettyServerBuilder builder = NettyServerBuilder.forAddress(options.address())
                .flowControlWindow(WINDOW)
                .maxConcurrentCallsPerConnection(100_000)
                .addService(new Server());
        if (!options.pool()) {
            builder.directExecutor();
        }
        builder.build().start().awaitTermination();
    }
}
