// A Go server and a Go client that find each other by mDNS.
package main

import (
	"flag"
	"time"

	"github.com/rcrowley/go-metrics"
	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/serverplugin"

	"librpcx.test/registries/peer"
)

var (
	timeout = flag.Duration("timeout", time.Second, "how long the client browses")
	watch   = flag.Duration("watch", 2*time.Second, "WatchInterval of the client")
)

func plugin(address string) (peer.Plugin, error) {
	return serverplugin.NewMDNSRegisterPlugin(address, 0, metrics.NewRegistry(), *peer.Update, ""), nil
}

func discovery(service string) (client.ServiceDiscovery, error) {
	return client.NewMDNSDiscovery(service, *timeout, *watch, "")
}

func main() {
	peer.Main(peer.Kind{Plugin: plugin, Discovery: discovery})
}
