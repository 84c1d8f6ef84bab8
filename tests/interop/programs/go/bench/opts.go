package bench

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Opts is the command line of a bench program.
type Opts struct {
	Addr string
	// Best asks for Go rpcx's fastest settings instead of its defaults.
	Best bool
	// The rest is the client's.
	Conns, Concurrency int
	Seconds, Warmup    time.Duration
	ServerPid          int // 0 when not given
}

const (
	serverUsage = `usage: bench-server --addr HOST:PORT [--best]

Serves Hello.Say, the call of the rpcx benchmark, on Go's rpcx until it is killed.

  --best   AddHandler, a pool of 100 workers and gogofaster messages instead of the defaults
`
	clientUsage = `usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S
                    [--warmup S] [--server-pid PID] [--best]

Calls Hello.Say in a closed loop and prints one JSON line with throughput, latencies, CPU and memory.

  --best   gogofaster messages instead of the defaults
`
)

// Parse reads the command line of the client or the server; it ends the process when it is wrong.
func Parse(isClient bool) *Opts {
	usage := serverUsage
	if isClient {
		usage = clientUsage
	}
	o, err := parse(os.Args[1:], isClient, usage)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n\n%s", err, usage)
		os.Exit(2)
	}
	return o
}

func parse(args []string, isClient bool, usage string) (*Opts, error) {
	o := &Opts{Conns: 1, Concurrency: 1, Seconds: 3 * time.Second, Warmup: 700 * time.Millisecond}
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		switch flag {
		case "--help", "-h":
			fmt.Print(usage)
			os.Exit(0)
		case "--best":
			o.Best = true
			continue
		}
		name, value, inline := strings.Cut(flag, "=")
		if !inline {
			if len(args) == 0 {
				return nil, fmt.Errorf("%s is unknown or needs a value", flag)
			}
			value, args = args[0], args[1:]
		}
		var err error
		switch {
		case name == "--addr":
			_, _, err = net.SplitHostPort(value)
			o.Addr = value
		case !isClient:
			err = errors.New("unknown flag")
		case name == "--conns":
			o.Conns, err = number(value, 1)
		case name == "--concurrency":
			o.Concurrency, err = number(value, 1)
		case name == "--server-pid":
			o.ServerPid, err = number(value, 0)
		case name == "--seconds":
			o.Seconds, err = seconds(value, 0.1, 600)
		case name == "--warmup":
			o.Warmup, err = seconds(value, 0, 60)
		default:
			err = errors.New("unknown flag")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if o.Addr == "" {
		return nil, errors.New("--addr HOST:PORT is needed")
	}
	o.Conns = min(o.Conns, o.Concurrency)
	return o, nil
}

func number(text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, fmt.Errorf("%q is no number from %d", text, least)
	}
	return n, nil
}

func seconds(text string, least, most float64) (time.Duration, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < least || f > most {
		return 0, fmt.Errorf("%q is no number of seconds from %v to %v", text, least, most)
	}
	return time.Duration(f * float64(time.Second)), nil
}

// Check ends the process when a program cannot go on.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
