// smallnest/rpcx, server and client.
//
//	--codec go|gogo      protoc-gen-go (default), or gogofaster as the classic rpcx benchmark has it
//	--async 1            server: AsyncWrite, a goroutine for each write
//	--style handler      server: AddHandler instead of a registered service (no reflection)
//	--workers N          server: a pool of N goroutines instead of one a request
package main

import (
	"context"

	"librpcx.test/bench/bench"
	"librpcx.test/bench/gogopb"
	"librpcx.test/bench/pb"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"
)

const path, method = "Hello", "Say"

type goHello struct{}

func (goHello) Say(_ context.Context, in, out *pb.BenchmarkMessage) error {
	bench.AnswerInto(out, in)
	return nil
}

func handleGo(c *server.Context) error {
	m := &pb.BenchmarkMessage{}
	if err := c.Bind(m); err != nil {
		return err
	}
	bench.Answer(m)
	return c.Write(m)
}

type gogoHello struct{}

func (gogoHello) Say(_ context.Context, in, out *gogopb.BenchmarkMessage) error {
	*out = *in
	out.Field1, out.Field2 = "OK", 100
	return nil
}

func handleGogo(c *server.Context) error {
	m := &gogopb.BenchmarkMessage{}
	if err := c.Bind(m); err != nil {
		return err
	}
	m.Field1, m.Field2 = "OK", 100
	return c.Write(m)
}

func serve(o *bench.Opts) {
	var opts []server.OptionFn
	if o.Num("async", 0) != 0 {
		opts = append(opts, server.WithAsyncWrite())
	}
	if n := o.Num("workers", 0); n > 0 {
		opts = append(opts, server.WithPool(n, 1<<20))
	}
	s := server.NewServer(opts...)
	gogo := o.Get("codec", "go") == "gogo"
	switch {
	case o.Get("style", "service") == "handler" && gogo:
		s.AddHandler(path, method, handleGogo)
	case o.Get("style", "service") == "handler":
		s.AddHandler(path, method, handleGo)
	case gogo:
		bench.Check(s.RegisterName(path, gogoHello{}, ""))
	default:
		bench.Check(s.RegisterName(path, goHello{}, ""))
	}
	bench.Check(s.Serve("tcp", o.Addr))
}

// connect makes an XClient, which keeps one connection of its own to the server.
func connect(o *bench.Opts) (func() bench.Call, error) {
	d, err := client.NewPeer2PeerDiscovery("tcp@"+o.Addr, "")
	if err != nil {
		return nil, err
	}
	opt := client.DefaultOption
	opt.SerializeType = protocol.ProtoBuffer
	x := client.NewXClient(path, client.Failtry, client.RandomSelect, d, opt)
	ctx := context.Background()
	if o.Get("codec", "go") == "gogo" {
		return func() bench.Call {
			req := bench.GogoRequest()
			return func() error {
				var m gogopb.BenchmarkMessage
				if err := x.Call(ctx, method, req, &m); err != nil {
					return err
				}
				if m.Field1 != "OK" || m.Field2 != 100 {
					return bench.ErrReply
				}
				return nil
			}
		}, nil
	}
	return func() bench.Call {
		req := bench.Request()
		return func() error {
			m := &pb.BenchmarkMessage{}
			if err := x.Call(ctx, method, req, m); err != nil {
				return err
			}
			return bench.Good(m)
		}
	}, nil
}

func main() {
	log.SetDummyLogger() // it logs every connection that ends
	o := bench.Parse("rpcx-go")
	if o.Server {
		serve(o)
		return
	}
	bench.RunClient(o, func(int) (func() bench.Call, error) { return connect(o) })
}
