// The benchmark's client on Go's rpcx: callers in a closed loop over XClients with a connection each.
package main

import (
	"context"
	"flag"
	"os"

	"interop/bench"
	"interop/gogohello"
	"interop/hello"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/protocol"
	"librpcx.test/bench/harness"
)

func main() {
	flags := flag.NewFlagSet("bench-client", flag.ExitOnError)
	best := flags.Bool("best", false, "gogofaster messages instead of the defaults")
	o := harness.Client(flags, os.Args[1:])
	log.SetDummyLogger() // it would log every connection that ends
	harness.RunClient(o, func(int) (func() harness.Call, error) {
		discovery, err := client.NewPeer2PeerDiscovery("tcp@"+o.Addr, "")
		if err != nil {
			return nil, err
		}
		option := client.DefaultOption
		option.SerializeType = protocol.ProtoBuffer
		x := client.NewXClient("Hello", client.Failtry, client.RandomSelect, discovery, option)
		if *best {
			return func() harness.Call { return gogo(x) }, nil
		}
		return func() harness.Call { return plain(x) }, nil
	})
}

func plain(x client.XClient) harness.Call {
	in := bench.Request()
	return func() error {
		out := &hello.BenchmarkMessage{}
		if err := x.Call(context.Background(), "Say", in, out); err != nil {
			return err
		}
		return harness.Good(out)
	}
}

func gogo(x client.XClient) harness.Call {
	in := bench.GogoRequest()
	return func() error {
		var out gogohello.BenchmarkMessage
		if err := x.Call(context.Background(), "Say", in, &out); err != nil {
			return err
		}
		if out.Field1 != harness.OK || out.Field2 != harness.Hundred {
			return harness.ErrReply
		}
		return nil
	}
}
