// A Go server and a Go client on an etcd.
package main

import (
	"flag"

	"github.com/rcrowley/go-metrics"
	"github.com/rpcxio/libkv/store"
	etcd "github.com/rpcxio/rpcx-etcd/client"
	"github.com/rpcxio/rpcx-etcd/serverplugin"
	_ "github.com/rpcxio/rpcx-etcd/store/etcdv3singe" // the plugin does not link its own store
	"github.com/smallnest/rpcx/client"

	"librpcx.test/registries/peer"
)

var (
	single  = flag.Bool("single", false, "register with the layout called single")
	missing = flag.Bool("allow-key-not-found", false, "allowKeyNotFound of the client")
)

func plugin(address string) (peer.Plugin, error) {
	if *single {
		return serverplugin.NewEtcdV3SingleRegisterPlugin([]string{*peer.Registry}, *peer.Base, address, nil, &store.Config{})
	}
	return &serverplugin.EtcdV3RegisterPlugin{
		ServiceAddress: address, EtcdServers: []string{*peer.Registry}, BasePath: *peer.Base, Options: &store.Config{},
		UpdateInterval: *peer.Update, Metrics: metrics.NewRegistry(),
	}, nil
}

func discovery(service string) (client.ServiceDiscovery, error) {
	return etcd.NewEtcdV3Discovery(*peer.Base, service, []string{*peer.Registry}, *missing, &store.Config{})
}

func main() {
	peer.Main(peer.Kind{Plugin: plugin, Discovery: discovery})
}
