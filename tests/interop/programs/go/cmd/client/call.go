package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"interop/wire"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/share"
)

// callCommand is a call of any form, as a case gives it.
type callCommand struct {
	Client   string            `json:"client"`
	Service  *string           `json:"service"`
	Method   *string           `json:"method"`
	Codec    *string           `json:"codec"`
	Compress *string           `json:"compress"`
	Args     json.RawMessage   `json:"args"`
	Hex      *string           `json:"hex"`
	Size     *int              `json:"size"`
	Metadata map[string]string `json:"metadata"`
	Options  map[string]any    `json:"options"`
	Reply    string            `json:"reply"`
	Typed    *bool             `json:"typed"`
}

// call is a call that can be made: everything in it is known to be right.
type call struct {
	client          *driverClient
	service, method string
	settings        settings
	shape           *shape
	args            any
	given           bool   // there are args
	payload         []byte // from hex or size; else args are encoded
	fixed           bool   // payload counts
	metadata        map[string]string
	form            string
}

func (c *callCommand) prepare(d *driverClient) (*call, *failure) {
	if c.Service == nil || c.Method == nil {
		return nil, misuse("service and method are needed")
	}
	p := &call{client: d, service: *c.Service, method: *c.Method, metadata: c.Metadata, settings: d.settings}
	if f := p.settings.apply(c.Options, true); f != nil {
		return nil, f
	}
	p.settings.retries = min(p.settings.retries, d.settings.retries)
	for name, value := range map[string]*string{"serialize_type": c.Codec, "compress_type": c.Compress} {
		if value != nil {
			if f := p.settings.set(name, *value); f != nil {
				return nil, misuse("%s: unknown value %q", map[string]string{"serialize_type": "codec", "compress_type": "compress"}[name], *value)
			}
		}
	}
	switch p.form = cmp.Or(c.Reply, "value"); p.form {
	case "value", "hex", "digest":
	default:
		return nil, misuse("reply: unknown value %q", p.form)
	}
	if s, ok := shapes[p.service+"."+p.method]; ok && (c.Typed == nil || *c.Typed) {
		p.shape = &s
	}
	if count(len(c.Args) > 0, c.Hex != nil, c.Size != nil) > 1 {
		return nil, misuse("args, hex and size exclude each other")
	}
	switch {
	case c.Hex != nil:
		data, err := hex.DecodeString(*c.Hex)
		if err != nil {
			return nil, misuse("hex: %v", err)
		}
		p.payload, p.fixed = data, true
	case c.Size != nil:
		if *c.Size < 0 || *c.Size > 1<<31-1 {
			return nil, misuse("size: %d is out of range", *c.Size)
		}
		p.payload, p.fixed = wire.Pattern(*c.Size), true
	case len(c.Args) > 0:
		if err := parseJSON(c.Args, &p.args); err != nil {
			return nil, misuse("args: %v", err)
		}
		p.given = true
	}
	return p, nil
}

func count(facts ...bool) int {
	n := 0
	for _, fact := range facts {
		if fact {
			n++
		}
	}
	return n
}

// result is the answer to a call.
type result struct {
	Reply    any
	Metadata map[string]string
	Server   string
	Attempts int
	Ms       float64

	payload []byte
}

// run makes the call in the given form and answers it. The args may differ from those of the call.
func (p *call) run(ctx context.Context, form string, args any) (res any, f *failure) {
	payload := p.payload
	if !p.fixed {
		if payload, f = encode(p.settings.serializeType, p.shape, args, p.given); f != nil {
			return nil, f
		}
	}
	if f := p.client.begin(); f != nil {
		return nil, f
	}
	defer func() { p.client.done(f) }()

	s := p.settings
	if s.failMode == client.Failbackup && !s.idempotent {
		s.failMode = client.Failover // a second request only for calls that may run twice
	}
	x, f := p.client.xclient(p.service, &s)
	if f != nil {
		return nil, f
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(p.client.ctx, func() { stop(context.Cause(p.client.ctx)) })()
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	metadata := maps.Clone(p.metadata) // Go writes deadline and token into it
	if metadata == nil {
		metadata = map[string]string{}
	}
	r := &record{again: s.idempotent || s.retryMaybeRun, selected: map[string]int{}}
	if s.failMode == client.Failbackup && form == "call" {
		r.unused = 1
	}
	made := context.WithValue(context.WithValue(ctx, share.ReqMetaDataKey, metadata), recordKey{}, r)
	out := &wire.Payload{Data: payload, HashKey: s.hashKey}

	begin := time.Now()
	ended := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil { // the other calls go on
				ended <- panicError{fmt.Errorf("Go's client panicked: %v", r)}
			}
		}()
		ended <- x.send(made, form, p.method, out)
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // at once, whatever Go waits for
		err = context.Cause(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // Go says only that the context ended
	}
	ms := float64(time.Since(begin).Microseconds()) / 1000
	r.mu.Lock()
	defer r.mu.Unlock()
	switch form {
	case "oneway", "oneshot":
		if err == nil && len(r.finished) > 0 {
			err = r.finished[0].err
		}
		if err != nil {
			return nil, r.failure(err, &s)
		}
		return nil, nil
	case "inform":
		if errors.Is(err, errCancelled) || errors.Is(err, errClosed) {
			return nil, r.failure(err, &s)
		}
		return p.replies(x, r, err, ms)
	case "broadcast", "fork":
		return p.many(form, x, r, err, ms, &s)
	}
	if err != nil {
		return nil, r.failure(err, &s)
	}
	t := r.success()
	if t == nil { // Failbackup succeeds when it finds no second server
		return nil, fail("connect", notSent, client.ErrServerUnavailable.Error())
	}
	return p.result(t, r.attempts(&s, true), ms)
}

// send makes the call with Go's client.
func (x *xclient) send(ctx context.Context, form, method string, args *wire.Payload) error {
	reply := &wire.Payload{}
	switch form {
	case "oneway":
		done := make(chan *client.Call, 1)
		c, err := x.Go(ctx, method, args, nil, done) // no reply makes it oneway
		if err != nil {
			return err
		}
		<-done
		return c.Error
	case "oneshot":
		return x.Oneshot(ctx, method, args)
	case "broadcast":
		return x.Broadcast(ctx, method, args, reply)
	case "fork":
		return x.Fork(ctx, method, args, reply)
	case "inform":
		_, err := x.Inform(ctx, method, args, reply)
		return err
	}
	return x.Call(ctx, method, args, reply)
}

// result answers with what a server said.
func (p *call) result(t *try, attempts int, ms float64) (any, *failure) {
	reply, f := show(p.form, p.settings.serializeType, p.shape, t.payload)
	if f != nil {
		f.Server, f.Attempts = t.server, attempts
		return nil, f
	}
	metadata := map[string]string{}
	for key, value := range t.metadata {
		if !strings.HasPrefix(key, "__") {
			metadata[key] = value
		}
	}
	return &result{reply, metadata, t.server, attempts, ms, t.payload}, nil
}

// many answers a broadcast or fork. Go leaves servers out that it cannot dial; a case does not.
func (p *call) many(form string, x *xclient, r *record, err error, ms float64, s *settings) (any, *failure) {
	servers := p.client.servers()
	if len(servers) == 0 {
		return nil, fail("no_server", notSent, client.ErrXClientNoServer.Error())
	}
	good := r.success()
	if form == "fork" && good != nil {
		return p.result(good, 1, ms)
	}
	for _, t := range r.finished {
		if t.err != nil {
			f := classify(t.err, t.metadata)
			f.Server, f.Attempts = t.server, 1
			return nil, f
		}
	}
	if err == nil || len(r.tries) == 0 {
		for _, n := range servers {
			if !r.tried(n.address) {
				f := classify(x.connections.dialFailure(n.address), nil)
				f.Server, f.Attempts = n.address, 1
				return nil, f
			}
		}
	}
	if err != nil {
		return nil, r.failure(err, s)
	}
	return p.result(good, 1, ms)
}

// replies answers an inform: one line for each server, in the order of their addresses.
func (p *call) replies(x *xclient, r *record, err error, ms float64) (any, *failure) {
	servers := p.client.servers()
	if len(servers) == 0 {
		return nil, fail("no_server", notSent, client.ErrXClientNoServer.Error())
	}
	slices.SortFunc(servers, func(a, b node) int { return cmp.Compare(a.address, b.address) })
	lines := []any{}
	for _, n := range servers {
		var res any
		var f *failure
		i := slices.IndexFunc(r.finished, func(t *try) bool { return t.server == n.address })
		switch {
		case i >= 0 && r.finished[i].err == nil:
			res, f = p.result(r.finished[i], 1, ms)
		case i >= 0:
			f = classify(r.finished[i].err, r.finished[i].metadata)
		case r.tried(n.address) && err != nil:
			f = classify(err, nil)
		default:
			f = classify(x.connections.dialFailure(n.address), nil)
		}
		if f != nil {
			f.Server, f.Attempts = n.address, 1
		}
		lines = append(lines, answer(res, f))
	}
	return map[string]any{"replies": lines}, nil
}

// success is the first good answer.
func (r *record) success() *try {
	for _, t := range r.finished {
		if t.err == nil {
			return t
		}
	}
	return nil
}

func (r *record) tried(server string) bool {
	return slices.ContainsFunc(r.tries, func(t *try) bool { return t.server == server })
}

// attempts is how often the call was tried, as far as Go lets one see.
func (r *record) attempts(s *settings, ok bool) int {
	switch s.failMode {
	case client.Failover: // each selection is a try, but for the one after the last
		n := 0
		for key, times := range r.selected {
			if key != "" {
				n += times
			}
		}
		return max(len(r.tries), min(n, s.retries+1))
	case client.Failtry:
		if len(r.tries) == 0 && !ok {
			return s.retries + 1
		}
	}
	return max(1, len(r.tries))
}

// failure answers a call that failed.
func (r *record) failure(err error, s *settings) *failure {
	var metadata map[string]string
	server := ""
	if n := len(r.tries); n > 0 {
		metadata, server = r.tries[n-1].metadata, r.tries[n-1].server
	} else {
		for key := range r.selected {
			if _, address, ok := strings.Cut(key, "@"); ok {
				server = address
			}
		}
	}
	f := classify(err, metadata)
	if f.Kind == "no_server" {
		return f
	}
	if len(r.tries) == 0 && f.Delivery == maybeRun {
		f.Delivery = notSent
	}
	f.Server, f.Attempts = server, r.attempts(s, false)
	return f
}
