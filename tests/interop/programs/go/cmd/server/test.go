package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"interop/wire"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/share"
	"github.com/soheilhy/cmux"
)

// Test is the service that cases use to provoke what they look at.
type Test struct {
	counts *counts
	server *server.Server
	nested *nestedClients
}

// answerDelay keeps the answer of a handler that was stopped behind the caller's own clock.
const answerDelay = 100 * time.Millisecond

// sleep waits, or ends early at the deadline: that is all that cancels a handler of Go's rpcx.
func sleep(ctx context.Context, run *running, ms int64) error {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return stoppedEarly(ctx, run)
	}
}

// stoppedEarly counts the call as cancelled at once and answers a little later.
func stoppedEarly(ctx context.Context, run *running) error {
	run.cancel()
	time.Sleep(answerDelay)
	return ctx.Err()
}

func (t *Test) Sleep(ctx context.Context, args *wire.SleepArgs, reply *wire.SleepReply) (err error) {
	run := t.counts.start("Test.Sleep")
	defer run.end(&err)
	begin := time.Now()
	if err := sleep(ctx, run, args.Ms); err != nil {
		return err
	}
	reply.Slept = time.Since(begin).Milliseconds()
	return nil
}

func (t *Test) Block(_ context.Context, args *wire.SleepArgs, reply *wire.SleepReply) (err error) {
	defer t.counts.start("Test.Block").end(&err)
	begin := time.Now()
	time.Sleep(time.Duration(args.Ms) * time.Millisecond)
	reply.Slept = time.Since(begin).Milliseconds()
	return nil
}

func (t *Test) Fail(_ context.Context, args *wire.TextArgs, _ *wire.Nothing) (err error) {
	defer t.counts.start("Test.Fail").end(&err)
	return errors.New(args.Text)
}

func (t *Test) Panic(_ context.Context, args *wire.TextArgs, _ *wire.Nothing) (err error) {
	defer t.counts.start("Test.Panic").end(&err)
	panic(args.Text)
}

func (t *Test) Count(_ context.Context, args *wire.CountArgs, reply *wire.CountReply) (err error) {
	defer t.counts.start("Test.Count").end(&err)
	*reply = t.counts.count(args.Method)
	return nil
}

func (t *Test) Deadline(ctx context.Context, _ *wire.Nothing, reply *wire.DeadlineReply) (err error) {
	defer t.counts.start("Test.Deadline").end(&err)
	reply.Ms = left(ctx)
	return nil
}

// left is the time until the caller's deadline in milliseconds, −1 when there is none.
func left(ctx context.Context) int64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return max(0, time.Until(deadline).Milliseconds())
}

func (t *Test) Peer(ctx context.Context, _ *wire.Nothing, reply *wire.PeerReply) (err error) {
	defer t.counts.start("Test.Peer").end(&err)
	conn := connection(ctx)
	reply.Address = conn.RemoteAddr().String()
	if reply.Address == "@" { // a unix socket without a name
		reply.Address = ""
	}
	if muxed, ok := conn.(*cmux.MuxConn); ok {
		conn = muxed.Conn
	}
	if conn, ok := conn.(*tls.Conn); ok {
		if peers := conn.ConnectionState().PeerCertificates; len(peers) > 0 {
			reply.Tls = peers[0].Subject.String()
		}
	}
	return nil
}

func connection(ctx context.Context) net.Conn {
	return ctx.Value(server.RemoteConnContextKey).(net.Conn)
}

func (t *Test) Push(ctx context.Context, args *wire.PushArgs, _ *wire.Nothing) (err error) {
	defer t.counts.start("Test.Push").end(&err)
	conn := connection(ctx)
	for i := range args.Count {
		index := strconv.FormatInt(i, 10)
		data := []byte(args.Text + "-" + index)
		if err := t.server.SendMessage(conn, "Test", "Pushed", map[string]string{"n": index}, data); err != nil {
			return err
		}
	}
	return nil
}

func (t *Test) Close(ctx context.Context, _ *wire.Nothing, _ *wire.Nothing) (err error) {
	defer t.counts.start("Test.Close").end(&err)
	return connection(ctx).Close()
}

func (t *Test) Nested(ctx context.Context, args *wire.NestedArgs, reply *wire.NestedReply) (err error) {
	run := t.counts.start("Test.Nested")
	defer run.end(&err)
	if args.Depth <= 0 {
		if err := sleep(ctx, run, args.Ms); err != nil {
			return err
		}
		reply.Ms = left(ctx)
		echoMetadata(ctx)
		return nil
	}
	next, err := t.nested.to(args.Address)
	if err != nil {
		return err
	}
	// The handler's context carries deadline and metadata on, and takes the response's metadata.
	err = next.Call(ctx, "Nested", &wire.NestedArgs{Address: args.Address, Depth: args.Depth - 1, Ms: args.Ms}, reply)
	if response, ok := ctx.Value(share.ResMetaDataKey).(map[string]string); ok {
		maps.DeleteFunc(response, func(key, _ string) bool { return strings.HasPrefix(key, "__") })
	}
	if err != nil && ctx.Err() != nil {
		return stoppedEarly(ctx, run)
	}
	return err
}

// nestedClients keeps one client an address for Test.Nested.
type nestedClients struct {
	mu      sync.Mutex
	clients map[string]client.XClient
}

func (n *nestedClients) to(address string) (client.XClient, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if x := n.clients[address]; x != nil {
		return x, nil
	}
	discovery, err := client.NewPeer2PeerDiscovery(address, "")
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	x := client.NewXClient("Test", client.Failfast, client.RandomSelect, discovery, client.DefaultOption)
	if n.clients == nil {
		n.clients = map[string]client.XClient{}
	}
	n.clients[address] = x
	return x, nil
}

func (n *nestedClients) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.clients {
		_ = x.Close() // connections that ended before are reported here, and do not matter
	}
}
