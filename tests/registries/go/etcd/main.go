// A Go server and a Go client on an etcd, for the tests of the registry. Both are told what to do on standard input and say
// what happens on standard output, a line each; the end of the input ends them.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/rcrowley/go-metrics"
	"github.com/rpcxio/libkv/store"
	etcd "github.com/rpcxio/rpcx-etcd/client"
	"github.com/rpcxio/rpcx-etcd/serverplugin"
	_ "github.com/rpcxio/rpcx-etcd/store/etcdv3singe" // the plugin does not link its own store
	"github.com/smallnest/rpcx/client"
	rpcxlog "github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/server"
)

var (
	endpoints = flag.String("etcd", "", "etcd servers, by comma")
	base      = flag.String("base", "/rpcx_test", "base path")
	update    = flag.Duration("update", 2*time.Second, "UpdateInterval of the server")
	services  = flag.String("services", "Arith,Arith2", "services, by comma")
	meta      = flag.String("meta", "weight=7&group=g1", "metadata of the services")
	single    = flag.Bool("single", false, "register with the layout called single")
	missing   = flag.Bool("allow-key-not-found", false, "allowKeyNotFound of the client")
	user      = flag.String("user", "", "user:password")
)

// Args are two factors.
type Args struct{ A, B int }

// Reply is their product.
type Reply struct{ C int }

// Arith multiplies.
type Arith struct{}

// Mul multiplies.
func (*Arith) Mul(_ context.Context, args *Args, reply *Reply) error {
	reply.C = args.A * args.B
	return nil
}

func options() *store.Config {
	config := &store.Config{}
	if name, password, ok := strings.Cut(*user, ":"); ok {
		config.Username, config.Password = name, password
	}
	return config
}

func main() {
	rpcxlog.SetDummyLogger()
	flag.Parse()
	switch flag.Arg(0) {
	case "serve":
		serve()
	case "client":
		call()
	default:
		log.Fatal("serve or client")
	}
}

type plugin interface {
	Start() error
	Stop() error
}

func serve() {
	listener := server.NewServer()
	started := make(chan struct{})
	go func() {
		defer close(started)
		if err := listener.Serve("tcp", "127.0.0.1:0"); err != nil && err != server.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	for listener.Address() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	address := "tcp@" + listener.Address().String()
	var registry plugin
	if *single {
		single, err := serverplugin.NewEtcdV3SingleRegisterPlugin(
			strings.Split(*endpoints, ","), *base, address, nil, options())
		if err != nil {
			log.Fatal(err)
		}
		registry = single
	} else {
		registry = &serverplugin.EtcdV3RegisterPlugin{
			ServiceAddress: address, EtcdServers: strings.Split(*endpoints, ","), BasePath: *base, Options: options(),
			UpdateInterval: *update, Metrics: metrics.NewRegistry(),
		}
	}
	if err := registry.Start(); err != nil {
		log.Fatal(err)
	}
	listener.Plugins.Add(registry)
	for _, service := range strings.Split(*services, ",") {
		if err := listener.RegisterName(service, new(Arith), *meta); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("serving", address)
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
	}
	if err := listener.UnregisterAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("unregistered")
}

func list(pairs []*client.KVPair) string {
	var nodes []string
	for _, pair := range pairs {
		nodes = append(nodes, pair.Key+" ("+pair.Value+")")
	}
	sort.Strings(nodes)
	return fmt.Sprintf("%d [%s]", len(nodes), strings.Join(nodes, " | "))
}

func call() {
	service := strings.Split(*services, ",")[0]
	found, err := etcd.NewEtcdV3Discovery(*base, service, strings.Split(*endpoints, ","), *missing, options())
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	pushes := found.WatchService()
	fmt.Println("initial", list(found.GetServices()))
	go func() {
		for pushed := range pushes {
			fmt.Println("push", list(pushed))
		}
	}()
	x := client.NewXClient(service, client.Failtry, client.RoundRobin, found, client.DefaultOption)
	defer x.Close()
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		reply := &Reply{}
		err := x.Call(context.Background(), "Mul", &Args{A: 6, B: 7}, reply)
		fmt.Println("call", reply.C, err)
	}
}
