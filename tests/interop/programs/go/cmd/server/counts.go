package main

import (
	"sync"

	"interop/wire"

	"github.com/smallnest/rpcx/server"
)

// counts says how often each handler ran and how it ended.
type counts struct {
	mu                               sync.Mutex
	methods                          map[string]*wire.CountReply
	calls, errors, cancelled, panics int64
}

func newCounts() *counts { return &counts{methods: map[string]*wire.CountReply{}} }

func (c *counts) of(method string) *wire.CountReply {
	m := c.methods[method]
	if m == nil {
		m = &wire.CountReply{}
		c.methods[method] = m
	}
	return m
}

// running is one call of a handler.
type running struct {
	counts    *counts
	method    string
	cancelled bool
}

// start counts a handler that begins; its end belongs into a defer.
func (c *counts) start(method string) *running {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.of(method).Started++
	return &running{counts: c, method: method}
}

// cancel counts a call that stops early, when it stops and not when it answers.
func (r *running) cancel() {
	r.counts.mu.Lock()
	defer r.counts.mu.Unlock()
	r.cancelled = true
	r.counts.cancelled++
	r.counts.of(r.method).Cancelled++
}

// end counts the result. A panic is counted and goes on to rpcx, which answers it.
func (r *running) end(err *error) {
	panicked := recover()
	c := r.counts
	c.mu.Lock()
	if !r.cancelled {
		c.of(r.method).Finished++
		if panicked != nil || *err != nil {
			c.errors++
		}
		if panicked != nil {
			c.panics++
		}
	}
	c.mu.Unlock()
	if panicked != nil {
		panic(panicked)
	}
}

// handler counts the calls of a handler that gets the raw context.
func (c *counts) handler(method string, h server.Handler) server.Handler {
	return func(ctx *server.Context) (err error) {
		defer c.start(method).end(&err)
		return h(ctx)
	}
}

func (c *counts) count(method string) wire.CountReply {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.of(method)
}

// stopped is the last line of the program.
type stopped struct {
	Stopped   bool  `json:"stopped"`
	Calls     int64 `json:"calls"`
	Errors    int64 `json:"errors"`
	Cancelled int64 `json:"cancelled"`
	Panics    int64 `json:"panics"`
}

func (c *counts) stopped() stopped {
	c.mu.Lock()
	defer c.mu.Unlock()
	return stopped{true, c.calls, c.errors, c.cancelled, c.panics}
}
