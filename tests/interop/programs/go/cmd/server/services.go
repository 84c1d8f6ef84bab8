package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"interop/hello"
	"interop/wire"

	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/serverplugin"
	"github.com/smallnest/rpcx/share"
	"google.golang.org/protobuf/proto"
)

// register adds every service of the interop server. Most are service objects; what must see the
// payload undecoded is a handler.
func register(s *server.Server, meta string, counts *counts, nested *nestedClients) error {
	s.Plugins.Add(requestPlugin{})
	alias := serverplugin.NewAliasPlugin()
	alias.Alias("Alias", "Times", "Arith", "Mul")
	s.Plugins.Add(alias)
	s.AddHandler("Echo", "Raw", counts.handler("Echo.Raw", echoRaw))
	s.AddHandler("Echo", "Value", counts.handler("Echo.Value", echoValue))
	s.AddHandler("Test", "Size", counts.handler("Test.Size", size))
	greet := func(_ context.Context, name string, reply *string) (err error) {
		defer counts.start("Fn.Greet").end(&err)
		*reply = "hi " + name
		return nil
	}
	return errors.Join(
		s.RegisterName("Arith", &Arith{counts}, meta),
		s.RegisterName("Echo", &Echo{counts}, meta),
		s.RegisterName("Test", &Test{counts, s, nested}, meta),
		s.RegisterName("Hello", &Hello{counts}, meta),
		s.RegisterFunctionName("Fn", "Greet", greet, meta),
	)
}

type serializeTypeKey struct{}

// requestPlugin sees each request before its service is looked up: it leaves the serialize type where a
// handler finds it.
type requestPlugin struct{}

func (requestPlugin) PostReadRequest(ctx context.Context, r *protocol.Message, err error) error {
	if err != nil {
		return nil
	}
	if ctx, ok := ctx.(*share.Context); ok {
		ctx.SetValue(serializeTypeKey{}, r.SerializeType())
	}
	return nil
}

// Arith calculates.
type Arith struct{ counts *counts }

func (a *Arith) Mul(_ context.Context, args *wire.ArithArgs, reply *wire.ArithReply) (err error) {
	defer a.counts.start("Arith.Mul").end(&err)
	reply.C = args.A * args.B
	return nil
}

func (a *Arith) Add(_ context.Context, args *wire.ArithArgs, reply *wire.ArithReply) (err error) {
	defer a.counts.start("Arith.Add").end(&err)
	reply.C = args.A + args.B
	return nil
}

func (a *Arith) Div(_ context.Context, args *wire.ArithArgs, reply *wire.ArithReply) (err error) {
	defer a.counts.start("Arith.Div").end(&err)
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.C = args.A / args.B
	return nil
}

func (a *Arith) Say(_ context.Context, name string, reply *string) (err error) {
	defer a.counts.start("Arith.Say").end(&err)
	*reply = "hello " + name
	return nil
}

// Hello is the service of rpcx's benchmark.
type Hello struct{ counts *counts }

func (h *Hello) Say(_ context.Context, args, reply *hello.BenchmarkMessage) (err error) {
	defer h.counts.start("Hello.Say").end(&err)
	proto.Merge(reply, args)
	reply.Field1, reply.Field2 = proto.String("OK"), proto.Int32(100)
	return nil
}

// Echo gives back what it gets; Raw and Value are handlers.
type Echo struct{ counts *counts }

func (e *Echo) Types(_ context.Context, args, reply *wire.Types) (err error) {
	defer e.counts.start("Echo.Types").end(&err)
	*reply = *args
	return nil
}

func (e *Echo) Meta(ctx context.Context, _ *wire.Nothing, _ *wire.Nothing) (err error) {
	defer e.counts.start("Echo.Meta").end(&err)
	echoMetadata(ctx)
	return nil
}

// echoMetadata answers with the request's metadata, each key with echo- before it.
func echoMetadata(ctx context.Context) {
	request, _ := ctx.Value(share.ReqMetaDataKey).(map[string]string)
	response, _ := ctx.Value(share.ResMetaDataKey).(map[string]string)
	for key, value := range request {
		if !strings.HasPrefix(key, "__") {
			response["echo-"+key] = value
		}
	}
}

func echoRaw(ctx *server.Context) error {
	return ctx.Write(&wire.Payload{Data: ctx.Payload()})
}

func echoValue(ctx *server.Context) error {
	var value any
	if err := ctx.Bind(&value); err != nil {
		return err
	}
	return ctx.Write(&value) // by pointer: Write leaves a plain nil out
}

// size answers Test.Size: with the raw codec, text in and bytes out.
func size(ctx *server.Context) error {
	if ctx.Get(serializeTypeKey{}) == protocol.SerializeNone {
		n, err := strconv.ParseInt(string(ctx.Payload()), 10, 64)
		if err != nil {
			return err
		}
		data, err := pattern(n)
		if err != nil {
			return err
		}
		return ctx.Write(&wire.Payload{Data: data})
	}
	var args wire.SizeArgs
	if err := ctx.Bind(&args); err != nil {
		return err
	}
	data, err := pattern(args.Bytes)
	if err != nil {
		return err
	}
	return ctx.Write(&wire.SizeReply{Data: data})
}

func pattern(n int64) ([]byte, error) {
	if n < 0 || n > math.MaxInt32 {
		return nil, fmt.Errorf("cannot make %d bytes", n)
	}
	return wire.Pattern(int(n)), nil
}
