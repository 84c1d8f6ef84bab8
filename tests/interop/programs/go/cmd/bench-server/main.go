// The benchmark's server on Go's rpcx: Hello.Say decodes the message, sets two fields, answers it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"interop/bench"
	"interop/gogohello"
	"interop/hello"

	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/server"
)

// Hello is the service as a user writes it first: a service object, generated protobuf code.
type Hello struct{}

// Say answers the message with its first two fields set.
func (Hello) Say(_ context.Context, in, out *hello.BenchmarkMessage) error {
	bench.AnswerInto(out, in)
	return nil
}

// say is the fastest form that Go's rpcx has: a handler, without reflection.
func say(ctx *server.Context) error {
	m := &gogohello.BenchmarkMessage{}
	if err := ctx.Bind(m); err != nil {
		return err
	}
	m.Field1, m.Field2 = "OK", 100
	return ctx.Write(m)
}

func main() {
	o := bench.Parse(false)
	log.SetDummyLogger() // it would log every connection that ends
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
	if o.Best {
		s := server.NewServer(server.WithPool(100, 1<<20))
		s.AddHandler("Hello", "Say", say)
		bench.Check(s.Serve("tcp", o.Addr))
		return
	}
	s := server.NewServer()
	bench.Check(s.RegisterName("Hello", Hello{}, ""))
	bench.Check(s.Serve("tcp", o.Addr))
}
