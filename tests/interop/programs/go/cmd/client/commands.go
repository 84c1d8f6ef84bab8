package main

import (
	"context"
	"encoding/json"
	"time"
)

// work is what a command does beside the lines that follow it.
type work func(ctx context.Context) (any, *failure)

// shutdownPatience is how long shutdown waits for running calls when the case does not say.
const shutdownPatience = 10 * time.Second

// command does what must be done before the next line is read, and returns the rest.
func (d *driver) command(do string, fields []byte) (work, *failure) {
	switch do {
	case "":
		return nil, misuse("do is missing")
	case "client":
		return nil, d.makeClient(fields)
	case "update":
		return nil, d.update(fields)
	case "call", "oneway", "oneshot", "broadcast", "fork", "inform":
		return d.call(do, fields)
	case "burst":
		return d.burst(fields)
	case "batch":
		return nil, unsupported("batch: Go's rpcx has none")
	case "cancel":
		return nil, d.cancel(fields)
	case "pushes":
		return d.takePushes(fields)
	case "stats":
		var c struct{ Client string }
		client, f := d.of(fields, &c, &c.Client)
		if f != nil {
			return nil, f
		}
		return func(context.Context) (any, *failure) {
			return map[string]any{"stats": client.stats.line()}, nil
		}, nil
	case "shutdown", "close":
		return d.close(do, fields)
	case "sleep":
		return sleep(fields)
	}
	return nil, misuse("unknown command %q", do)
}

func read(fields []byte, into any) *failure {
	if err := parseJSON(fields, into); err != nil {
		return misuse("%v", err)
	}
	return nil
}

// of reads a command for one client and finds that.
func (d *driver) of(fields []byte, into any, name *string) (*driverClient, *failure) {
	if f := read(fields, into); f != nil {
		return nil, f
	}
	if client := d.clients[*name]; client != nil {
		return client, nil
	}
	return nil, misuse("unknown client %q", *name)
}

func (d *driver) makeClient(fields []byte) *failure {
	var c struct {
		Name      *string
		Discovery any
		Options   map[string]any
		TLS       *tlsFiles
	}
	if f := read(fields, &c); f != nil {
		return f
	}
	if c.Name == nil {
		return misuse("name is missing")
	}
	nodes, isList, f := parseDiscovery(c.Discovery)
	if f != nil {
		return f
	}
	s := newSettings()
	if f := s.apply(c.Options, false); f != nil {
		return f
	}
	if c.TLS != nil {
		if s.option.TLSConfig, f = c.TLS.load(); f != nil {
			return f
		}
	}
	if old := d.clients[*c.Name]; old != nil {
		old.close(0)
	}
	d.clients[*c.Name] = newDriverClient(nodes, isList, s)
	return nil
}

func (d *driver) update(fields []byte) *failure {
	var c struct {
		Client    string
		Discovery any
	}
	client, f := d.of(fields, &c, &c.Client)
	if f != nil {
		return f
	}
	nodes, _, f := parseDiscovery(c.Discovery)
	if f != nil {
		return f
	}
	if !client.isList {
		return misuse("client %q was not made from a list", c.Client)
	}
	return client.update(nodes)
}

func (d *driver) call(do string, fields []byte) (work, *failure) {
	var c callCommand
	client, f := d.of(fields, &c, &c.Client)
	if f != nil {
		return nil, f
	}
	p, f := c.prepare(client)
	if f != nil {
		return nil, f
	}
	return func(ctx context.Context) (any, *failure) { return p.run(ctx, do, p.args) }, nil
}

func (d *driver) burst(fields []byte) (work, *failure) {
	var c struct {
		callCommand
		Count       *int
		Concurrency *int
	}
	client, f := d.of(fields, &c, &c.Client)
	if f != nil {
		return nil, f
	}
	calls, concurrency := 1, 1
	for _, field := range []struct {
		name  string
		given *int
		value *int
	}{{"count", c.Count, &calls}, {"concurrency", c.Concurrency, &concurrency}} {
		if field.given == nil {
			continue
		}
		if *field.value = *field.given; *field.value < 1 || *field.value > 10_000_000 {
			return nil, misuse("%s: %d is out of range", field.name, *field.value)
		}
	}
	p, f := c.prepare(client)
	if f != nil {
		return nil, f
	}
	return func(ctx context.Context) (any, *failure) { return p.burst(ctx, calls, concurrency), nil }, nil
}

func (d *driver) cancel(fields []byte) *failure {
	var c struct{ Call json.RawMessage }
	if f := read(fields, &c); f != nil {
		return f
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	running := d.calls[canonical(c.Call)]
	if running == nil {
		return misuse("call %s does not run", c.Call)
	}
	running.cancel(errCancelled)
	return nil
}

func (d *driver) takePushes(fields []byte) (work, *failure) {
	var c struct {
		Client  string
		Count   int
		Timeout *float64
	}
	c.Count = 1
	client, f := d.of(fields, &c, &c.Client)
	if f != nil {
		return nil, f
	}
	if c.Count < 0 || c.Timeout != nil && *c.Timeout < 0 {
		return nil, misuse("count and timeout cannot be negative")
	}
	return func(ctx context.Context) (any, *failure) {
		if c.Timeout != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, milliseconds(*c.Timeout))
			defer cancel()
		}
		return map[string]any{"pushes": client.pushes.take(ctx, c.Count)}, nil
	}, nil
}

func (d *driver) close(do string, fields []byte) (work, *failure) {
	var c struct {
		Client  string
		Timeout *float64
	}
	client, f := d.of(fields, &c, &c.Client)
	if f != nil {
		return nil, f
	}
	patience := time.Duration(0)
	if do == "shutdown" {
		patience = shutdownPatience
		if c.Timeout != nil {
			patience = milliseconds(*c.Timeout)
		}
	}
	client.refuse()
	return func(context.Context) (any, *failure) {
		client.close(patience)
		return nil, nil
	}, nil
}

func sleep(fields []byte) (work, *failure) {
	var c struct{ Ms *float64 }
	if f := read(fields, &c); f != nil {
		return nil, f
	}
	if c.Ms == nil || *c.Ms < 0 {
		return nil, misuse("ms is missing or negative")
	}
	return func(ctx context.Context) (any, *failure) {
		select {
		case <-time.After(milliseconds(*c.Ms)):
			return nil, nil
		case <-ctx.Done():
			return nil, fail("cancelled", notSent, context.Cause(ctx).Error())
		}
	}, nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
