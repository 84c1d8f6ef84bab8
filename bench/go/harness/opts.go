// Package harness is what the bench programs in Go share: command line, workload message, recorder,
// and the closed-loop client with its one-line report, which bench/README.md describes.
package harness

import (
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

// Opts is the command line of a bench program.
type Opts struct {
	Addr string
	// The rest is the client's.
	Conns, Concurrency int
	Seconds, Warmup    time.Duration
	ServerPid          int // 0 when not given
}

// Server reads the command line of a server. The set may have flags of the program's own already;
// its name is the program's. A wrong command line ends the process with status 2, --help with 0.
func Server(own *flag.FlagSet, args []string) *Opts {
	o := &Opts{}
	o.parse(own, args, "Serves Hello.Say, the call of the rpcx benchmark, until it is killed.")
	return o
}

// Client is the same for a client.
func Client(own *flag.FlagSet, args []string) *Opts {
	o := &Opts{}
	own.IntVar(&o.Conns, "conns", 1, "open `N` connections, no more than there are callers")
	own.IntVar(&o.Concurrency, "concurrency", 1, "`N` callers, each with one call at a time")
	own.IntVar(&o.ServerPid, "server-pid", 0, "also report what the process `PID` uses")
	seconds := own.Float64("seconds", 3, "measure for `S` seconds")
	warmup := own.Float64("warmup", 0.7, "for `S` seconds before that, calls are not measured")
	fail := o.parse(own, args, "Calls Hello.Say in a closed loop and prints throughput, latencies, CPU and memory as one JSON line.")
	switch {
	case o.Conns < 1:
		fail("conns", "must be at least 1")
	case o.Concurrency < 1:
		fail("concurrency", "must be at least 1")
	case o.ServerPid < 0:
		fail("server-pid", "must not be negative")
	case *seconds < 0.1 || *seconds > 600:
		fail("seconds", "must be from 0.1 to 600")
	case *warmup < 0 || *warmup > 60:
		fail("warmup", "must be from 0 to 60")
	}
	o.Conns = min(o.Conns, o.Concurrency)
	o.Seconds, o.Warmup = time.Duration(*seconds*float64(time.Second)), time.Duration(*warmup*float64(time.Second))
	return o
}

// parse returns what refuses a flag.
func (o *Opts) parse(own *flag.FlagSet, args []string, about string) (fail func(name, why string)) {
	own.StringVar(&o.Addr, "addr", "", "`HOST:PORT` of the server")
	own.Usage = func() {
		fmt.Fprintf(own.Output(), "usage: %s --addr HOST:PORT [--FLAG VALUE...]\n\n%s\n\n", own.Name(), about)
		own.PrintDefaults()
	}
	fail = func(name, why string) {
		fmt.Fprintf(own.Output(), "--%s %s\n\n", name, why)
		own.Usage()
		os.Exit(2)
	}
	Check(own.Parse(args)) // a set that does not exit by itself is the program's mistake
	if own.NArg() > 0 {
		fmt.Fprintf(own.Output(), "unexpected argument %q\n\n", own.Arg(0))
		own.Usage()
		os.Exit(2)
	}
	if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		fail("addr", fmt.Sprintf("%q must be HOST:PORT", o.Addr))
	}
	return fail
}

// Check ends the process when a program cannot go on.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
