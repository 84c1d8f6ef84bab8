// Package peer is a Go server and a Go client on a registry, for the tests of the registry. Both are told what to do on standard
// input and say what happens on standard output, a line each; the end of the input ends them.
package peer

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

	"github.com/smallnest/rpcx/client"
	rpcxlog "github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/server"
)

// What every registry is told; its own program may have further flags.
var (
	Registry = flag.String("registry", "", "host:port of the registry")
	Base     = flag.String("base", "/rpcx_test", "base path")
	Update   = flag.Duration("update", 2*time.Second, "UpdateInterval of the server")
	services = flag.String("services", "Arith,Arith2", "services, by comma")
	meta     = flag.String("meta", "weight=7&group=g1", "metadata of the services")
	host     = flag.String("host", "127.0.0.1", "where the server listens")
)

// Plugin is a plugin of a server that registers services.
type Plugin interface {
	Start() error
}

// Kind is a registry.
type Kind struct {
	// Plugin gives the one for a server at an address, not started.
	Plugin func(address string) (Plugin, error)
	// Discovery gives that of a service.
	Discovery func(service string) (client.ServiceDiscovery, error)
}

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

// Main runs the server or the client, whichever the arguments name.
func Main(kind Kind) {
	rpcxlog.SetDummyLogger()
	flag.Parse()
	switch flag.Arg(0) {
	case "serve":
		serve(kind)
	case "client":
		call(kind)
	default:
		log.Fatal("serve or client")
	}
}

func serve(kind Kind) {
	listener := server.NewServer()
	go func() {
		if err := listener.Serve("tcp", *host+":0"); err != nil && err != server.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	for listener.Address() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	address := "tcp@" + listener.Address().String()
	plugin, err := kind.Plugin(address)
	if err == nil {
		err = plugin.Start()
	}
	if err != nil {
		log.Fatal(err)
	}
	listener.Plugins.Add(plugin)
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

func call(kind Kind) {
	service := strings.Split(*services, ",")[0]
	found, err := kind.Discovery(service)
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
