package arith;

import io.github.librpcx.Context;
import io.github.librpcx.RpcService;
import io.github.librpcx.Server;

public class ArithServer {
    @RpcService("Arith")
    public static class Calculator implements Arith {
        @Override
        public Reply mul(Args args) {
            System.out.println(args.a() + " x " + args.b() + " for " + Context.current().peer());
            return new Reply(args.a() * args.b());
        }
    }

    public static void main(String[] args) throws InterruptedException {
        String address = args.length > 0 ? args[0] : "tcp@127.0.0.1:8972";
        try (Server server = Server.builder().listen(address).service(new Calculator()).start()) {
            System.out.println("listening on " + server.addresses().get(0));
            server.awaitClosed();
        }
    }
}
