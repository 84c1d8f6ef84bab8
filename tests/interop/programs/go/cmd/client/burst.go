package main

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"interop/wire"
)

// burst makes many calls and sums them up.
func (p *call) burst(ctx context.Context, calls, concurrency int) any {
	var mu sync.Mutex
	errors, servers, wrong := map[string]int{}, map[string]int{}, 0
	latencies := make([]float64, 0, calls)
	var next atomic.Int64
	var workers sync.WaitGroup
	begin := time.Now()
	for range min(concurrency, calls) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(calls); i = next.Add(1) - 1 {
				args := withIndex(p.args, strconv.FormatInt(i, 10))
				begin := time.Now()
				res, f := p.run(ctx, "call", args)
				ms := float64(time.Since(begin).Microseconds()) / 1000
				mu.Lock()
				latencies = append(latencies, ms)
				if f != nil {
					errors[f.Kind]++
				} else {
					res := res.(*result)
					servers[res.Server]++
					if !p.right(args, res.payload) {
						wrong++
					}
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	took := time.Since(begin).Seconds()
	slices.Sort(latencies)
	quantile := func(q float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[int(q*float64(len(latencies)-1))]
	}
	return map[string]any{
		"count": calls, "errors": errors, "wrong": wrong, "servers": servers,
		"calls_per_s": float64(calls) / max(took, 1e-9), "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
	}
}

// right checks the reply of an Arith method.
func (p *call) right(args any, payload []byte) bool {
	var in wire.ArithArgs
	if p.service != "Arith" || p.fixed || wire.Assign(&in, args) != nil {
		return true
	}
	var want int64
	switch p.method {
	case "Mul":
		want = in.A * in.B
	case "Add":
		want = in.A + in.B
	case "Div":
		if in.B != 0 {
			want = in.A / in.B
		}
	default:
		return true
	}
	var out wire.ArithReply
	err := wire.Codecs[p.settings.serializeType].Decode(payload, &out)
	return err == nil && out.C == want
}
