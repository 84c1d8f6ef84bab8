// A Go server and a Go client on a Redis. The server's plugin is that of rpcx; the client's discovery, whose module is not to be
// had any more, is written here on the store of libkv, which decides what a Go client sees and when.
package main

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rcrowley/go-metrics"
	"github.com/rpcxio/libkv"
	"github.com/rpcxio/libkv/store"
	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/serverplugin"

	"librpcx.test/registries/peer"
)

// rpcx-redis takes what belongs to services whose names begin alike for servers.
var asIs = flag.Bool("as-is", false, "show what belongs to other services, as rpcx-redis does")

func plugin(address string) (peer.Plugin, error) {
	return &serverplugin.RedisRegisterPlugin{
		ServiceAddress: address, RedisServers: []string{*peer.Registry}, BasePath: *peer.Base, Options: &store.Config{},
		UpdateInterval: *peer.Update, Metrics: metrics.NewRegistry(),
	}, nil
}

type found struct {
	kv     store.Store
	path   string
	closed chan struct{}

	mu       sync.Mutex
	pairs    []*client.KVPair
	watchers []chan []*client.KVPair
}

func discovery(service string) (client.ServiceDiscovery, error) {
	kv, err := libkv.NewStore(store.REDIS, []string{*peer.Registry}, &store.Config{})
	if err != nil {
		return nil, err
	}
	d := &found{kv: kv, path: *peer.Base + "/" + service, closed: make(chan struct{})}
	listed, err := kv.List(d.path)
	if err != nil {
		return nil, err
	}
	d.pairs = d.nodes(listed)
	changes, err := kv.WatchTree(d.path, d.closed)
	if err != nil {
		return nil, err
	}
	go func() {
		for listed := range changes {
			d.push(d.nodes(listed))
		}
		fmt.Println("the watch has ended")
	}()
	return d, nil
}

// nodes are what is left of the keys without the path of the service.
func (d *found) nodes(listed []*store.KVPair) []*client.KVPair {
	pairs := make([]*client.KVPair, 0, len(listed))
	for _, pair := range listed {
		address, below := strings.CutPrefix(pair.Key, d.path+"/")
		if below || *asIs {
			pairs = append(pairs, &client.KVPair{Key: address, Value: string(pair.Value)})
		}
	}
	return pairs
}

func (d *found) push(pairs []*client.KVPair) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pairs = pairs
	for _, watcher := range d.watchers {
		select {
		case watcher <- pairs:
		case <-time.After(time.Minute):
		}
	}
}

func (d *found) GetServices() []*client.KVPair {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pairs
}

func (d *found) WatchService() chan []*client.KVPair {
	d.mu.Lock()
	defer d.mu.Unlock()
	watcher := make(chan []*client.KVPair, 10)
	d.watchers = append(d.watchers, watcher)
	return watcher
}

func (d *found) RemoveWatcher(gone chan []*client.KVPair) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.watchers[:0]
	for _, watcher := range d.watchers {
		if watcher != gone {
			kept = append(kept, watcher)
		}
	}
	d.watchers = kept
}

func (d *found) Clone(service string) (client.ServiceDiscovery, error) { return discovery(service) }

func (d *found) SetFilter(client.ServiceDiscoveryFilter) {}

func (d *found) Close() { close(d.closed) }

func main() {
	peer.Main(peer.Kind{Plugin: plugin, Discovery: discovery})
}
