package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"maps"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// driverClient is what a case calls a client. In Go it is an XClient for each service and set of
// options, over shared connections.
type driverClient struct {
	settings settings
	isList   bool
	stats    *stats
	pushes   *pushes

	ctx context.Context // ends with close, and ends the calls
	end context.CancelCauseFunc

	mu          sync.Mutex
	closed      bool
	running     int
	idle        chan struct{} // closed when closing and no call runs
	nodes       []node
	connections map[wireForm]*connections
	xclients    map[xclientKey]*xclient
}

// wireForm is what Go's rpcx chooses for a whole connection.
type wireForm struct {
	serialize protocol.SerializeType
	compress  protocol.CompressType
}

// xclientKey holds what Go's rpcx chooses for a whole XClient.
type xclientKey struct {
	wireForm
	service       string
	failMode      client.FailMode
	retries       int
	retryInterval time.Duration
	backupLatency time.Duration
}

type xclient struct {
	client.XClient
	list        *list
	connections *connections
}

// networks numbers the made-up networks of connections.
var networks atomic.Int64

func newDriverClient(nodes []node, isList bool, s settings) *driverClient {
	ctx, end := context.WithCancelCause(context.Background())
	return &driverClient{
		settings: s, isList: isList, nodes: nodes, ctx: ctx, end: end,
		stats: &stats{errors: map[string]int64{}}, pushes: newPushes(), idle: make(chan struct{}),
		connections: map[wireForm]*connections{}, xclients: map[xclientKey]*xclient{},
	}
}

// tlsFiles are the TLS settings of a client.
type tlsFiles struct {
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	ServerName string `json:"server_name"`
}

func (t *tlsFiles) load() (*tls.Config, *failure) {
	config := &tls.Config{ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, misuse("tls.ca: %v", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, misuse("tls.ca %s: no certificate in it", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, misuse("tls.cert and tls.key go together")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, misuse("tls.cert, tls.key: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// begin counts a call; it fails once the client is closed.
func (d *driverClient) begin() *failure {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fail("closed", notSent, errClosed.Error())
	}
	d.running++
	d.stats.begin()
	return nil
}

func (d *driverClient) done(f *failure) {
	d.stats.end(f)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	if d.closed && d.running == 0 {
		close(d.idle)
	}
}

// xclient returns the XClient for a service with these settings.
func (d *driverClient) xclient(service string, s *settings) (*xclient, *failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return nil, fail("closed", notSent, errClosed.Error())
	}
	if s.selectMode == client.WeightedRoundRobin && len(d.nodes) > 0 && d.weight() < 1 {
		// Go's selector would panic on it, with its lock held.
		return nil, fail("no_server", notSent, "no server has a weight above 0")
	}
	form := wireForm{s.serializeType, s.compressType}
	key := xclientKey{form, service, s.failMode, s.retries, s.retryInterval, s.backupLatency}
	if x := d.xclients[key]; x != nil {
		return x, nil
	}
	option := s.option
	option.Retries, option.RetryInterval, option.BackupLatency = s.retries, s.retryInterval, s.backupLatency
	option.SerializeType, option.CompressType = s.serializeType, s.compressType
	c := d.connections[form]
	if c == nil {
		c = &connections{
			network: "shared" + strconv.FormatInt(networks.Add(1), 10),
			option:  option, stats: d.stats, pushes: d.pushes.in,
			links: map[string]*link{}, dials: map[string]*sync.Mutex{}, failed: map[string]error{},
		}
		client.RegisterCacheClientBuilder(c.network, c)
		d.connections[form] = c
	}
	list := newList(c.network, d.nodes)
	x := &xclient{client.NewXClient(service, s.failMode, s.selectMode, list, option), list, c}
	if s.selectMode == client.Closest {
		x.ConfigGeoSelector(s.latitude, s.longitude)
	}
	if s.auth != "" {
		x.Auth(s.auth)
	}
	plugins := client.NewPluginContainer()
	plugins.Add(selecting{})
	x.SetPlugins(plugins)
	d.xclients[key] = x
	return x, nil
}

// weight is the sum that Go's weighted selector works with.
func (d *driverClient) weight() int {
	sum := 0
	for _, n := range d.nodes {
		if !n.usable(d.settings.option.Group) {
			continue
		}
		weight := 1
		if values, err := url.ParseQuery(n.metadata); err == nil {
			if w, err := strconv.Atoi(values.Get("weight")); err == nil {
				weight = w
			}
		}
		sum += weight
	}
	return sum
}

// servers are the nodes that a call to many must reach.
func (d *driverClient) servers() []node {
	d.mu.Lock()
	defer d.mu.Unlock()
	var usable []node
	for _, n := range d.nodes {
		if n.usable(d.settings.option.Group) {
			usable = append(usable, n)
		}
	}
	return usable
}

func (d *driverClient) update(nodes []node) *failure {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fail("closed", notSent, errClosed.Error())
	}
	d.nodes = nodes
	for _, x := range d.xclients {
		x.list.update(nodes)
	}
	return nil
}

// refuse refuses new calls from now on.
func (d *driverClient) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		if d.running == 0 {
			close(d.idle)
		}
	}
}

// close refuses new calls, waits up to patience for those that run, and ends the rest.
func (d *driverClient) close(patience time.Duration) {
	d.refuse()
	select {
	case <-d.idle:
	case <-time.After(patience):
	}
	d.end(errClosed)
	d.mu.Lock()
	xclients, connections := d.xclients, d.connections
	d.xclients, d.connections = nil, nil
	d.mu.Unlock()
	for _, x := range xclients {
		_ = x.Close() // the connections are not the XClient's
	}
	for _, c := range connections {
		c.close()
	}
	d.pushes.close()
}

// pushes keeps what servers sent until a case asks for it.
type pushes struct {
	in   chan *protocol.Message
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	queue []*protocol.Message
	more  chan struct{} // closed and replaced at each message
}

// maxPushes bounds the memory that a server can fill; what comes beyond is dropped.
const maxPushes = 1 << 16

func newPushes() *pushes {
	p := &pushes{in: make(chan *protocol.Message), done: make(chan struct{}), more: make(chan struct{})}
	go p.collect()
	return p
}

func (p *pushes) collect() {
	for {
		select {
		case m := <-p.in:
			p.mu.Lock()
			// The end of a connection comes as a message of status error.
			if m.MessageStatusType() != protocol.Error && len(p.queue) < maxPushes {
				p.queue = append(p.queue, m)
				close(p.more)
				p.more = make(chan struct{})
			}
			p.mu.Unlock()
		case <-p.done:
			for { // connections that still read must not block on the channel
				select {
				case <-p.in:
				case <-time.After(time.Minute):
					return
				}
			}
		}
	}
}

func (p *pushes) close() { p.once.Do(func() { close(p.done) }) }

// take waits for the next count messages and returns those that came before the end of ctx.
func (p *pushes) take(ctx context.Context, count int) []map[string]any {
	for {
		p.mu.Lock()
		more := p.more
		if len(p.queue) >= count || ctx.Err() != nil {
			taken := p.queue[:min(count, len(p.queue))]
			p.queue = p.queue[len(taken):]
			p.mu.Unlock()
			lines := make([]map[string]any, 0, len(taken))
			for _, m := range taken {
				metadata := maps.Clone(m.Metadata)
				if metadata == nil {
					metadata = map[string]string{}
				}
				lines = append(lines, map[string]any{
					"service": m.ServicePath, "method": m.ServiceMethod,
					"metadata": metadata, "hex": hex.EncodeToString(m.Payload),
				})
			}
			return lines
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-p.done:
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			cancel()
		case <-ctx.Done():
		}
	}
}
