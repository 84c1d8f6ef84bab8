// A Go server and a Go client on a Consul.
package main

import (
	"flag"
	"time"

	"github.com/rcrowley/go-metrics"
	"github.com/rpcxio/libkv/store"
	consul "github.com/rpcxio/rpcx-consul/client"
	"github.com/rpcxio/rpcx-consul/serverplugin"
	"github.com/smallnest/rpcx/client"

	"librpcx.test/registries/peer"
)

var expired = flag.Duration("expired", 0, "Expired of the server; 0 is what UpdateInterval says")

func plugin(address string) (peer.Plugin, error) {
	return &serverplugin.ConsulRegisterPlugin{
		ServiceAddress: address, ConsulServers: []string{*peer.Registry}, BasePath: *peer.Base,
		Options: &store.Config{ConnectionTimeout: 15 * time.Second}, UpdateInterval: *peer.Update, Expired: *expired,
		Metrics: metrics.NewRegistry(),
	}, nil
}

func discovery(service string) (client.ServiceDiscovery, error) {
	return consul.NewConsulDiscovery(*peer.Base, service, []string{*peer.Registry}, &store.Config{})
}

func main() {
	peer.Main(peer.Kind{Plugin: plugin, Discovery: discovery})
}
