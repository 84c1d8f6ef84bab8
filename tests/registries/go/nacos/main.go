// A Go server and a Go client on a Nacos. The base path is the namespace.
package main

import (
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	nacos "github.com/rpcxio/rpcx-nacos/client"
	"github.com/rpcxio/rpcx-nacos/serverplugin"
	"github.com/smallnest/rpcx/client"

	"librpcx.test/registries/peer"
)

var (
	group    = flag.String("group", "", "group")
	cluster  = flag.String("cluster", "", "cluster")
	user     = flag.String("user", "", "user:password")
	empty    = flag.Bool("update-cache-when-empty", true, "UpdateCacheWhenEmpty of the client")
	register = flag.String("address", "", "service address to register, if not the server's own")
)

func servers() []constant.ServerConfig {
	host, port, err := net.SplitHostPort(*peer.Registry)
	if err != nil {
		log.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		log.Fatal(err)
	}
	return []constant.ServerConfig{{IpAddr: host, Port: number, ContextPath: "/nacos", Scheme: "http"}}
}

func options() constant.ClientConfig {
	// Nothing of it is read again.
	folder := filepath.Join(os.TempDir(), "rpcx-go-nacos")
	name, password, _ := strings.Cut(*user, ":")
	return constant.ClientConfig{
		NamespaceId: strings.Trim(*peer.Base, "/"), TimeoutMs: 5000, NotLoadCacheAtStart: true,
		UpdateCacheWhenEmpty: *empty, LogDir: folder, CacheDir: folder, LogLevel: "error",
		Username: name, Password: password,
	}
}

func plugin(address string) (peer.Plugin, error) {
	if *register != "" {
		address = *register
	}
	return &serverplugin.NacosRegisterPlugin{
		ServiceAddress: address, ClientConfig: options(), ServerConfig: servers(), Cluster: *cluster, Group: *group,
	}, nil
}

func discovery(service string) (client.ServiceDiscovery, error) {
	return nacos.NewNacosDiscovery(service, *cluster, *group, options(), servers())
}

func main() {
	peer.Main(peer.Kind{Plugin: plugin, Discovery: discovery})
}
