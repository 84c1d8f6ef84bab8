// grpc-go, unary calls, one ClientConn a connection.
//
//	--workers N   server: NumStreamWorkers
//	--shared 1    SharedWriteBuffer on both sides: less memory a connection
package main

import (
	"context"
	"net"

	"librpcx.test/bench/bench"
	"librpcx.test/bench/pb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type hello struct {
	pb.UnimplementedHelloServer
}

func (hello) Say(_ context.Context, m *pb.BenchmarkMessage) (*pb.BenchmarkMessage, error) {
	bench.Answer(m)
	return m, nil
}

func serve(o *bench.Opts) {
	l, err := net.Listen("tcp", o.Addr)
	bench.Check(err)
	opts := []grpc.ServerOption{grpc.SharedWriteBuffer(o.Num("shared", 0) != 0)}
	if n := o.Num("workers", 0); n > 0 {
		opts = append(opts, grpc.NumStreamWorkers(uint32(n)))
	}
	s := grpc.NewServer(opts...)
	pb.RegisterHelloServer(s, hello{})
	bench.Check(s.Serve(l))
}

func connect(o *bench.Opts) (func() bench.Call, error) {
	cc, err := grpc.NewClient("passthrough:///"+o.Addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithSharedWriteBuffer(o.Num("shared", 0) != 0))
	if err != nil {
		return nil, err
	}
	c, ctx := pb.NewHelloClient(cc), context.Background()
	return func() bench.Call {
		req := bench.Request()
		return func() error {
			m, err := c.Say(ctx, req)
			if err != nil {
				return err
			}
			return bench.Good(m)
		}
	}, nil
}

func main() {
	o := bench.Parse("grpc-go")
	if o.Server {
		serve(o)
		return
	}
	bench.RunClient(o, func(int) (func() bench.Call, error) { return connect(o) })
}
