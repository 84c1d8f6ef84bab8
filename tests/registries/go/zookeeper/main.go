// A Go server and a Go client on a ZooKeeper.
package main

import (
	"github.com/rcrowley/go-metrics"
	"github.com/rpcxio/libkv/store"
	zookeeper "github.com/rpcxio/rpcx-zookeeper/client"
	"github.com/rpcxio/rpcx-zookeeper/serverplugin"
	"github.com/smallnest/rpcx/client"

	"librpcx.test/registries/peer"
)

func plugin(address string) (peer.Plugin, error) {
	return &serverplugin.ZooKeeperRegisterPlugin{
		ServiceAddress: address, ZooKeeperServers: []string{*peer.Registry}, BasePath: *peer.Base, Options: &store.Config{},
		UpdateInterval: *peer.Update, Metrics: metrics.NewRegistry(),
	}, nil
}

func discovery(service string) (client.ServiceDiscovery, error) {
	return zookeeper.NewZookeeperDiscovery(*peer.Base, service, []string{*peer.Registry}, &store.Config{})
}

func main() {
	peer.Main(peer.Kind{Plugin: plugin, Discovery: discovery})
}
