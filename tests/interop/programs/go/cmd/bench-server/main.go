// The benchmark's server on Go's rpcx: Hello.Say decodes the message, sets two fields, answers it.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"interop/bench"
	"interop/gogohello"
	"interop/hello"

	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/server"
	"librpcx.test/bench/harness"
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
	m.Field1, m.Field2 = harness.OK, harness.Hundred
	return ctx.Write(m)
}

func main() {
	flags := flag.NewFlagSet("bench-server", flag.ExitOnError)
	best := flags.Bool("best", false, "AddHandler, a pool of 100 workers and gogofaster messages instead of the defaults")
	o := harness.Server(flags, os.Args[1:])
	log.SetDummyLogger() // it would log every connection that ends
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
	if *best {
		s := server.NewServer(server.WithPool(100, 1<<20))
		s.AddHandler("Hello", "Say", say)
		harness.Check(s.Serve("tcp", o.Addr))
		return
	}
	s := server.NewServer()
	harness.Check(s.RegisterName("Hello", Hello{}, ""))
	harness.Check(s.Serve("tcp", o.Addr))
}
