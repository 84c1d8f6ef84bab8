// Package bench is what every Go peer shares: command line, workload message,
// recorder, closed-loop client and the one-line report that bench/README.md describes.
package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Opts is the command line of a peer; what a peer wants for itself is in rest.
type Opts struct {
	Server             bool
	Peer, Addr         string
	Conns, Concurrency int
	Seconds, Warmup    time.Duration
	ServerPid          int // 0 when not given
	rest               map[string]string
}

func die(msg string) {
	fmt.Fprintln(os.Stderr, msg+"\nusage: server --addr H:P | client --addr H:P --conns N --concurrency N --seconds S")
	os.Exit(2)
}

// Parse reads `server|client --key value ...`.
func Parse(peer string) *Opts {
	o := &Opts{Peer: peer, rest: map[string]string{}}
	args := os.Args[1:]
	if len(args) == 0 || args[0] != "server" && args[0] != "client" {
		die("first argument must be server or client")
	}
	o.Server = args[0] == "server"
	for args = args[1:]; len(args) > 0; args = args[2:] {
		key, ok := strings.CutPrefix(args[0], "--")
		if !ok || len(args) < 2 {
			die("expected --key value, got " + args[0])
		}
		o.rest[key] = args[1]
	}
	o.Addr = o.Get("addr", "")
	if o.Addr == "" {
		die("--addr HOST:PORT is needed")
	}
	o.Concurrency = max(1, o.Num("concurrency", 1))
	o.Conns = min(max(1, o.Num("conns", 1)), o.Concurrency)
	o.Seconds = o.seconds("seconds", 3, 0.1, 600)
	o.Warmup = o.seconds("warmup", 0.7, 0, 60)
	o.ServerPid = o.Num("server-pid", 0)
	return o
}

// Get is a peer's own option.
func (o *Opts) Get(key, unset string) string {
	if v, ok := o.rest[key]; ok {
		return v
	}
	return unset
}

// Num is a peer's own numeric option.
func (o *Opts) Num(key string, unset int) int {
	v, ok := o.rest[key]
	if !ok {
		return unset
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		die("bad --" + key)
	}
	return n
}

func (o *Opts) seconds(key string, unset, lo, hi float64) time.Duration {
	f := unset
	if v, ok := o.rest[key]; ok {
		var err error
		if f, err = strconv.ParseFloat(v, 64); err != nil {
			die("bad --" + key)
		}
	}
	return time.Duration(min(max(f, lo), hi) * float64(time.Second))
}

// Check ends the process when a peer cannot start.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
