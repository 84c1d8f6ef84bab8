package main

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/smallnest/rpcx/client"
)

// node is a server: its address as cases spell it, and its metadata.
type node struct{ address, metadata string }

// parseDiscovery reads an address, a peer2peer or multiple URL, or a list of addresses.
func parseDiscovery(value any) (nodes []node, isList bool, f *failure) {
	var addresses []string
	switch v := value.(type) {
	case nil:
		return nil, false, misuse("discovery is missing")
	case string:
		scheme, rest, ok := strings.Cut(v, "://")
		switch {
		case !ok:
			addresses = []string{v}
		case scheme == "peer2peer":
			addresses = []string{rest}
		case scheme == "multiple":
			isList = true
			if rest != "" {
				addresses = strings.Split(rest, ",")
			}
		default:
			return nil, false, unsupported("discovery %s: this driver knows no registry", v)
		}
	case []any:
		isList = true
		for _, address := range v {
			text, ok := address.(string)
			if !ok {
				return nil, false, misuse("discovery: %v is no address", address)
			}
			addresses = append(addresses, text)
		}
	default:
		return nil, false, misuse("discovery: %v is neither an address nor a list", value)
	}
	for _, text := range addresses {
		address, metadata, _ := strings.Cut(text, "?")
		if f := checkAddress(address); f != nil {
			return nil, false, f
		}
		nodes = append(nodes, node{address, metadata})
	}
	return nodes, isList, nil
}

func checkAddress(address string) *failure {
	network, where, ok := strings.Cut(address, "@")
	if !ok {
		network, where = "tcp", address
	}
	switch network {
	case "tcp", "tcp4", "tcp6", "http", "ws", "wss":
		_, port, err := net.SplitHostPort(where)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return misuse("address %q: expected HOST:PORT", address)
		}
	case "unix":
		if where == "" {
			return misuse("address %q: the path is empty", address)
		}
	case "memory", "quic", "kcp":
		return unsupported("address %q: this driver cannot dial %s", address, network)
	default:
		return misuse("address %q: unknown scheme %s", address, network)
	}
	return nil
}

// usable says whether Go takes a node for the group ("": any).
func (n node) usable(group string) bool {
	values, err := url.ParseQuery(n.metadata)
	if err != nil {
		return true
	}
	return values.Get("state") != "inactive" && (group == "" || slices.Contains(values["group"], group))
}

// list is the discovery of one XClient.
type list struct {
	network string // goes before each address, see connections
	nodes   []node
	changes chan []*client.KVPair
}

func newList(network string, nodes []node) *list {
	// Without a buffer, so that update knows when a change has arrived.
	return &list{network: network, nodes: nodes, changes: make(chan []*client.KVPair)}
}

func (l *list) GetServices() []*client.KVPair {
	var pairs []*client.KVPair
	for _, n := range l.nodes {
		pairs = append(pairs, &client.KVPair{Key: l.network + "@" + n.address, Value: n.metadata})
	}
	return pairs
}

func (l *list) WatchService() chan []*client.KVPair           { return l.changes }
func (l *list) RemoveWatcher(chan []*client.KVPair)           {}
func (l *list) Clone(string) (client.ServiceDiscovery, error) { return l, nil }
func (l *list) SetFilter(client.ServiceDiscoveryFilter)       {}
func (l *list) Close()                                        {}

// update replaces the nodes. The XClient takes the second message only when it is done with the first.
func (l *list) update(nodes []node) {
	l.nodes = nodes
	l.changes <- l.GetServices()
	l.changes <- l.GetServices()
}
