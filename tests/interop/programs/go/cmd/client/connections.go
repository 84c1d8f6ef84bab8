package main

import (
	"context"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"interop/wire"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/share"
)

// connections are those of one client with one codec and compressor, which Go chooses for a
// connection and not for a call. Each XClient would open its own; as a client.CacheClientBuilder,
// which rpcx finds by the network of an address, this type shares them between services.
type connections struct {
	network string // made up; it stands before each address that the XClients get
	option  client.Option
	stats   *stats
	pushes  chan *protocol.Message

	mu     sync.Mutex
	links  map[string]*link
	dials  map[string]*sync.Mutex // one dial to an address at a time
	failed map[string]error       // how the last dial to an address failed
	closed bool
}

// address takes the made-up network off again.
func (c *connections) address(key string) string { return strings.TrimPrefix(key, c.network+"@") }

func (c *connections) FindCachedClient(key, _, _ string) client.RPCClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.links[key]; l != nil {
		return l
	}
	return nil // not a nil *link: rpcx compares with nil
}

// SetCachedClient has nothing to do: GenerateClient keeps what it makes.
func (c *connections) SetCachedClient(client.RPCClient, string, string, string) {}

func (c *connections) DeleteCachedClient(which client.RPCClient, key, _, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.links[key]; l != nil && l == which {
		delete(c.links, key)
	}
}

func (c *connections) GenerateClient(key, _, _ string) (client.RPCClient, error) {
	c.mu.Lock()
	dial := c.dials[key]
	if dial == nil {
		dial = &sync.Mutex{}
		c.dials[key] = dial
	}
	c.mu.Unlock()
	dial.Lock()
	defer dial.Unlock()
	c.mu.Lock()
	l := c.links[key]
	c.mu.Unlock()
	if l != nil && !l.IsClosing() && !l.IsShutdown() {
		return l, nil // another service's XClient was faster
	}

	l = &link{Client: client.NewClient(c.option), server: c.address(key)}
	l.Plugins = client.NewPluginContainer()
	l.Plugins.Add(c.stats)
	l.Client.RegisterServerMessageChan(c.pushes)
	network, where, ok := strings.Cut(l.server, "@")
	if !ok {
		network, where = "tcp", l.server
	}
	err := l.Connect(network, where)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed[key] = dialError{err}
		return nil, dialError{err}
	}
	delete(c.failed, key)
	if c.closed {
		_ = l.Close()
		return nil, errClosed
	}
	c.links[key] = l
	return l, nil
}

// dialFailure is why the last dial to an address failed.
func (c *connections) dialFailure(address string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failed[c.network+"@"+address]; err != nil {
		return err
	}
	return dialError{client.ErrServerUnavailable}
}

func (c *connections) close() {
	c.mu.Lock()
	c.closed = true
	links := c.links
	c.links = nil
	c.mu.Unlock()
	for _, l := range links {
		_ = l.Close() // fails only for a connection that ended before
	}
}

// link is one connection; it keeps a record of the calls that pass.
type link struct {
	*client.Client
	server string // as in the discovery
}

// The driver gives the channel before the connection reads, and keeps it.
func (*link) RegisterServerMessageChan(chan<- *protocol.Message) {}
func (*link) UnregisterServerMessageChan()                       {}

func (l *link) Call(ctx context.Context, path, method string, args, reply any) error {
	record := recordOf(ctx)
	if l.IsClosing() || l.IsShutdown() {
		return errStale
	}
	try := record.begin(l.server)
	// Go writes the response metadata into one map, without a lock when several servers answer.
	metadata := map[string]string{}
	err := l.Client.Call(context.WithValue(ctx, share.ResMetaDataKey, metadata), path, method, args, reply)
	if err != nil && lost(err) && !record.again {
		err = lostError{err}
	}
	record.end(try, reply, metadata, err)
	return err
}

func (l *link) Go(ctx context.Context, path, method string, args, reply any, done chan *client.Call) *client.Call {
	record := recordOf(ctx)
	try := record.begin(l.server)
	ended := make(chan *client.Call, 1)
	call := l.Client.Go(ctx, path, method, args, reply, ended)
	end := func() {
		<-ended
		record.end(try, reply, call.ResMetadata, call.Error)
	}
	if done == nil { // Oneshot: wait until it is written
		end()
		return call
	}
	go func() {
		end()
		done <- call
	}()
	return call
}

type recordKey struct{}

// record is what happened in one call, on all its connections.
type record struct {
	again  bool // a call that may have run is tried again
	unused int  // first selections that nothing is sent to

	mu       sync.Mutex
	selected map[string]int // how often the selector chose an address
	tries    []*try
	finished []*try // in the order of their answers
}

// try is one request.
type try struct {
	server   string
	payload  []byte
	metadata map[string]string
	err      error
}

func recordOf(ctx context.Context) *record {
	return ctx.Value(recordKey{}).(*record)
}

func (r *record) begin(server string) *try {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &try{server: server}
	r.tries = append(r.tries, t)
	return t
}

func (r *record) end(t *try, reply any, metadata map[string]string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.metadata, t.err = maps.Clone(metadata), err
	if reply, ok := reply.(*wire.Payload); ok && reply != nil && err == nil {
		t.payload = reply.Data
	}
	r.finished = append(r.finished, t)
}

// WrapSelect counts the choices of the selector and asks again for a server that this call has not
// tried; Go's Failover is content with the one that just failed.
func (selecting) WrapSelect(choose client.SelectFunc) client.SelectFunc {
	return func(ctx context.Context, path, method string, args any) string {
		record := recordOf(ctx)
		record.mu.Lock()
		defer record.mu.Unlock()
		key := choose(ctx, path, method, args)
		for range 10 {
			if record.selected[key] == 0 {
				break
			}
			key = choose(ctx, path, method, args)
		}
		if record.unused > 0 {
			record.unused--
		} else {
			record.selected[key]++
		}
		return key
	}
}

type selecting struct{}

// stats counts what a client did; as a plugin it hears of the connections.
type stats struct {
	bytesIn, bytesOut      atomic.Int64
	opened, failed, closed atomic.Int64
	mu                     sync.Mutex
	calls, inFlight        int64
	errors                 map[string]int64
}

func (s *stats) ConnCreated(conn net.Conn) (net.Conn, error) {
	s.opened.Add(1)
	return countedConn{conn, s}, nil
}

func (s *stats) ConnCreateFailed(string, string) { s.failed.Add(1) }

func (s *stats) ClientConnectionClose(net.Conn) error {
	s.closed.Add(1)
	return nil
}

func (s *stats) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.inFlight++
}

func (s *stats) end(f *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	if f != nil {
		s.errors[f.Kind]++
	}
}

func (s *stats) line() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{
		"calls": s.calls, "errors": maps.Clone(s.errors), "in_flight": s.inFlight,
		"bytes_in": s.bytesIn.Load(), "bytes_out": s.bytesOut.Load(),
		"connections": map[string]int64{
			"opened": s.opened.Load(), "failed": s.failed.Load(), "closed": s.closed.Load(),
		},
	}
}

// countedConn counts what rpcx reads and writes (under TLS: inside of it).
type countedConn struct {
	net.Conn
	stats *stats
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.stats.bytesIn.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	// Counted before: the answer may be here before Write returns.
	c.stats.bytesOut.Add(int64(len(p)))
	n, err := c.Conn.Write(p)
	c.stats.bytesOut.Add(int64(n - len(p)))
	return n, err
}
