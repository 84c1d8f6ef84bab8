// Package bench is what the bench programs share: command line, message, recorder, and the
// closed-loop client with its one-line report.
package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Call makes one whole call: encode, send, await, decode, check.
type Call func() error

// ErrReply is a reply that arrived and is wrong.
var ErrReply = errors.New("bad reply")

// RunClient opens o.Conns connections with connect, spreads o.Concurrency
// callers over them, each making one call after the other, and reports.
// connect returns what makes the Call of one caller on that connection.
func RunClient(o *Opts, connect func(i int) (func() Call, error)) {
	rec := newRecorder()
	for i := range o.Conns {
		caller, err := connect(i)
		Check(err)
		for c := i; c < o.Concurrency; c += o.Conns {
			go loop(rec, rec.shards[c%len(rec.shards)], caller())
		}
	}
	report(o, rec)
}

func loop(rec *recorder, s *shard, call Call) {
	for t := time.Now(); rec.running(); {
		err := call()
		now := time.Now()
		if err == nil {
			rec.record(s, now.Sub(t))
		} else {
			rec.error(err)
			time.Sleep(5 * time.Millisecond)
		}
		t = now
	}
}

// ownCPU is user+sys of this process in microseconds.
func ownCPU() float64 {
	var u syscall.Rusage
	Check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e3
}

// procCPU is user+sys of another process in microseconds (10 ms ticks).
func procCPU(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	sys, _ := strconv.ParseFloat(f[12], 64)
	return (user + sys) * 1e4
}

// peakRSS is in MiB, nil when unknown.
func peakRSS(pid string) *float64 {
	b, _ := os.ReadFile("/proc/" + pid + "/status")
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	if f := strings.Fields(rest); ok && len(f) > 0 {
		if kib, err := strconv.ParseFloat(f[0], 64); err == nil {
			kib /= 1024
			return &kib
		}
	}
	return nil
}

type result struct {
	Conns       int      `json:"conns"`
	Concurrency int      `json:"concurrency"`
	Seconds     float64  `json:"seconds"`
	Calls       int64    `json:"calls"`
	Total       int64    `json:"total_calls"`
	Errors      int64    `json:"errors"`
	First       string   `json:"first_error,omitempty"`
	Throughput  float64  `json:"throughput"`
	Mean        float64  `json:"mean_us"`
	P50         float64  `json:"p50_us"`
	P99         float64  `json:"p99_us"`
	P999        float64  `json:"p999_us"`
	Max         float64  `json:"max_us"`
	ClientCPU   *float64 `json:"client_cpu_us_per_call"`
	ServerCPU   *float64 `json:"server_cpu_us_per_call"`
	ClientRSS   *float64 `json:"client_rss_mib"`
	ServerRSS   *float64 `json:"server_rss_mib"`
}

// report sleeps through warm-up and window, prints the report and exits.
func report(o *Opts, rec *recorder) {
	time.Sleep(o.Warmup)
	c0, s0, t0 := ownCPU(), procCPU(o.ServerPid), time.Now()
	rec.phase.Store(measure)
	time.Sleep(o.Seconds)
	rec.phase.Store(stop)
	dt := time.Since(t0).Seconds()
	c1, s1 := ownCPU(), procCPU(o.ServerPid)
	h, warm := rec.merge()
	n := h.TotalCount()
	us := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	r := result{
		Conns: o.Conns, Concurrency: o.Concurrency, Seconds: dt,
		Calls: n, Total: n + warm, Errors: rec.errors.Load(), First: rec.first,
		Throughput: float64(n) / dt, Mean: h.Mean() / 1e3,
		P50: us(50), P99: us(99), P999: us(99.9), Max: float64(h.Max()) / 1e3,
		ClientRSS: peakRSS("self"),
	}
	per := func(a, b float64) *float64 { v := (b - a) / float64(max(1, n)); return &v }
	r.ClientCPU = per(c0, c1)
	if o.ServerPid != 0 {
		r.ServerCPU, r.ServerRSS = per(s0, s1), peakRSS(strconv.Itoa(o.ServerPid))
	}
	line, err := json.Marshal(r)
	Check(err)
	fmt.Println(string(line))
	if n == 0 {
		os.Exit(1)
	}
	os.Exit(0)
}
