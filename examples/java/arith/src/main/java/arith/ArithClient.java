package arith;

import arith.Arith.Args;
import arith.Arith.Reply;
import io.github.librpcx.Client;
import java.util.concurrent.CompletableFuture;

public class ArithClient {
    public static void main(String[] args) {
        String address = args.length > 0 ? args[0] : "tcp@127.0.0.1:8972";
        try (Client client = Client.open(address)) {
            // As an interface, waiting for the reply ...
            Arith arith = client.service(Arith.class);
            System.out.println("6 x 7 = " + arith.mul(new Args(6, 7)).c());

            // ... or by name, with a future.
            CompletableFuture<Reply> reply = client.service("Arith").call("Mul", new Args(8, 9), Reply.class);
            System.out.println("8 x 9 = " + reply.join().c());
        }
    }
}
