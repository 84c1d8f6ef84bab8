// The benchmark's client on Go's rpcx: callers in a closed loop over XClients with a connection each.
package main

import (
	"context"

	"interop/bench"
	"interop/gogohello"
	"interop/hello"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/protocol"
)

func main() {
	o := bench.Parse(true)
	log.SetDummyLogger() // it would log every connection that ends
	bench.RunClient(o, func(int) (func() bench.Call, error) {
		discovery, err := client.NewPeer2PeerDiscovery("tcp@"+o.Addr, "")
		if err != nil {
			return nil, err
		}
		option := client.DefaultOption
		option.SerializeType = protocol.ProtoBuffer
		x := client.NewXClient("Hello", client.Failtry, client.RandomSelect, discovery, option)
		if o.Best {
			return func() bench.Call { return gogo(x) }, nil
		}
		return func() bench.Call { return plain(x) }, nil
	})
}

func plain(x client.XClient) bench.Call {
	in := bench.Request()
	return func() error {
		out := &hello.BenchmarkMessage{}
		if err := x.Call(context.Background(), "Say", in, out); err != nil {
			return err
		}
		return bench.Good(out)
	}
}

func gogo(x client.XClient) bench.Call {
	in := bench.GogoRequest()
	return func() error {
		var out gogohello.BenchmarkMessage
		if err := x.Call(context.Background(), "Say", in, &out); err != nil {
			return err
		}
		if out.Field1 != "OK" || out.Field2 != 100 {
			return bench.ErrReply
		}
		return nil
	}
}
