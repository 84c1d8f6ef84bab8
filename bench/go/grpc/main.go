// grpc-go, unary calls, one ClientConn a connection: `grpc server` and `grpc client`.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"

	"librpcx.test/bench/harness"
	"librpcx.test/bench/pb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type hello struct {
	pb.UnimplementedHelloServer
}

func (hello) Say(_ context.Context, m *pb.BenchmarkMessage) (*pb.BenchmarkMessage, error) {
	m.Field1, m.Field2 = &harness.OK, &harness.Hundred
	return m, nil
}

func serve(args []string) {
	flags := flag.NewFlagSet("grpc server", flag.ExitOnError)
	shared := sharedBuffers(flags)
	workers := flags.Uint("workers", 0, "`N` goroutines that serve streams; 0: one for each stream")
	o := harness.Server(flags, args)
	l, err := net.Listen("tcp", o.Addr)
	harness.Check(err)
	s := grpc.NewServer(grpc.SharedWriteBuffer(*shared), grpc.NumStreamWorkers(uint32(*workers)))
	pb.RegisterHelloServer(s, hello{})
	harness.Check(s.Serve(l))
}

func call(args []string) {
	flags := flag.NewFlagSet("grpc client", flag.ExitOnError)
	shared := sharedBuffers(flags)
	o := harness.Client(flags, args)
	harness.RunClient(o, func(int) (func() harness.Call, error) { return connect(o, *shared) })
}

func sharedBuffers(flags *flag.FlagSet) *bool {
	return flags.Bool("shared", false, "share write buffers: less memory a connection")
}

func connect(o *harness.Opts, shared bool) (func() harness.Call, error) {
	cc, err := grpc.NewClient("passthrough:///"+o.Addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithSharedWriteBuffer(shared))
	if err != nil {
		return nil, err
	}
	c, ctx := pb.NewHelloClient(cc), context.Background()
	return func() harness.Call {
		req := harness.Request(&pb.BenchmarkMessage{})
		return func() error {
			m, err := c.Say(ctx, req)
			if err != nil {
				return err
			}
			return harness.Good(m)
		}
	}, nil
}

func main() {
	programs := map[string]func([]string){"server": serve, "client": call}
	if len(os.Args) > 1 && programs[os.Args[1]] != nil {
		programs[os.Args[1]](os.Args[2:])
		return
	}
	fmt.Fprintln(os.Stderr, "usage: grpc server|client --addr HOST:PORT [--FLAG VALUE...]; --help of each has more")
	os.Exit(2)
}
