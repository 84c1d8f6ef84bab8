// The interop server on Go's rpcx: the services that every language's server has.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"interop/wire"

	reuseport "github.com/kavu/go_reuseport"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"
)

const usage = `usage: server --listen ADDRESS... [--meta QUERY] [--auth TOKEN] [--option NAME=VALUE...]
              [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]

Serves the interop test services on Go's rpcx until SIGTERM.

  --listen ADDRESS       tcp@HOST:PORT (also tcp4, tcp6, reuseport) or unix@PATH; port 0 is chosen
                         by the system; several addresses, or the flag repeated
  --meta QUERY           service metadata, url-encoded
  --auth TOKEN           refuse every other token
  --option NAME=VALUE    read_timeout, write_timeout (500ms, 2s, or milliseconds), max_message_size,
                         access.allow, access.deny (addresses and networks), rate_limit.connections,
                         rate_limit.requests (a second), rate_limit.request_policy, rate_limit.burst
  --tls-cert, --tls-key  PEM files; TLS on every address
  --tls-client-ca        PEM file; clients must show a certificate of this authority
  --registry URL         refused: Go's registries are modules of their own
`

// grace is how long a graceful stop waits for running handlers.
const grace = 30 * time.Second

func main() {
	wire.LogToStderr()
	wire.Register()
	config, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "server: %v\n\n%s", err, usage)
		os.Exit(2)
	}
	if err := run(config); err != nil {
		fmt.Fprintf(os.Stderr, "server: %v\n", err)
		os.Exit(1)
	}
}

type config struct {
	listen  []string
	meta    string
	auth    *string
	tls     *tls.Config
	options []server.OptionFn
	limits  limits
}

func parse(args []string) (*config, error) {
	values := map[string][]string{}
	flag := ""
	for _, arg := range args {
		switch {
		case arg == "--help" || arg == "-h":
			fmt.Print(usage)
			os.Exit(0)
		case strings.HasPrefix(arg, "--"):
			name, value, inline := strings.Cut(arg, "=")
			if flag = name; inline {
				values[flag] = append(values[flag], value)
			} else if values[flag] == nil {
				values[flag] = []string{} // given, its values come next
			}
		case flag == "":
			return nil, fmt.Errorf("unexpected argument %q", arg)
		default:
			values[flag] = append(values[flag], arg)
		}
	}
	c := &config{limits: limits{burst: time.Second}}
	var cert, key, clientCA string
	single := map[string]*string{
		"--meta": &c.meta, "--tls-cert": &cert, "--tls-key": &key, "--tls-client-ca": &clientCA,
	}
	for flag, given := range values {
		target := single[flag]
		switch {
		case len(given) == 0:
			return nil, fmt.Errorf("%s needs a value", flag)
		case flag == "--listen":
			c.listen = given
		case flag == "--option":
			for _, option := range given {
				if err := c.option(option); err != nil {
					return nil, err
				}
			}
		case flag == "--registry":
			return nil, fmt.Errorf("--registry %s: not supported", given[0])
		case flag == "--auth" && len(given) == 1:
			c.auth = &given[0]
		case target != nil && len(given) == 1:
			*target = given[0]
		case target != nil || flag == "--auth":
			return nil, fmt.Errorf("%s takes one value, got %q", flag, given)
		default:
			return nil, fmt.Errorf("unknown flag %s", flag)
		}
	}
	if len(c.listen) == 0 {
		return nil, errors.New("--listen ADDRESS is needed")
	}
	for _, address := range c.listen {
		if err := checkAddress(address); err != nil {
			return nil, fmt.Errorf("--listen %s: %w", address, err)
		}
	}
	if _, err := url.ParseQuery(c.meta); err != nil {
		return nil, fmt.Errorf("--meta %s: %w", c.meta, err)
	}
	return c, c.loadTLS(cert, key, clientCA)
}

func (c *config) option(text string) error {
	name, value, _ := strings.Cut(text, "=")
	var err error
	var duration time.Duration
	switch name {
	case "read_timeout":
		duration, err = wire.Duration(value)
		c.options = append(c.options, server.WithReadTimeout(duration))
	case "write_timeout":
		duration, err = wire.Duration(value)
		c.options = append(c.options, server.WithWriteTimeout(duration))
	case "max_message_size":
		protocol.MaxMessageLength, err = wire.Size(value)
	default:
		var known bool
		if known, err = c.limits.set(name, value); !known {
			err = errors.New("Go's server has no such option")
		}
	}
	if err != nil {
		return fmt.Errorf("--option %s: %w", text, err)
	}
	return nil
}

func (c *config) loadTLS(cert, key, clientCA string) error {
	if cert == "" && key == "" && clientCA == "" {
		return nil
	}
	if cert == "" || key == "" {
		return errors.New("--tls-cert and --tls-key go together")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--tls-cert %s --tls-key %s: %w", cert, key, err)
	}
	c.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	if clientCA != "" {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return fmt.Errorf("--tls-client-ca: %w", err)
		}
		c.tls.ClientCAs = x509.NewCertPool()
		if !c.tls.ClientCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("--tls-client-ca %s: no certificate in it", clientCA)
		}
		c.tls.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return nil
}

func checkAddress(address string) error {
	network, where, ok := strings.Cut(address, "@")
	if !ok {
		return errors.New("expected SCHEME@ADDRESS, such as tcp@127.0.0.1:0")
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		_, err := net.ResolveTCPAddr(network, where)
		return err
	case "reuseport":
		_, err := net.ResolveTCPAddr("tcp", where)
		return err
	case "unix":
		if where == "" {
			return errors.New("the path is empty")
		}
		return nil
	}
	return fmt.Errorf("unknown scheme %s", network)
}

// open listens on an address and returns it with the real port.
func (c *config) open(address string) (net.Listener, string, error) {
	network, where, _ := strings.Cut(address, "@")
	var ln net.Listener
	var err error
	if network == "reuseport" {
		family := "tcp4"
		if strings.HasPrefix(where, "[") {
			family = "tcp6"
		}
		ln, err = reuseport.NewReusablePortListener(family, where)
	} else {
		ln, err = net.Listen(network, where)
	}
	if err != nil {
		return nil, "", err
	}
	if network != "unix" {
		if network == "reuseport" {
			network = "tcp" // only a listener has this scheme
		}
		address = network + "@" + ln.Addr().String()
	}
	if c.tls != nil {
		ln = tls.NewListener(ln, c.tls)
	}
	return ln, address, nil
}

// ready is the line that tells the runner where to find the services.
type ready struct {
	Ready     bool     `json:"ready"`
	Language  string   `json:"language"`
	Version   string   `json:"version"`
	Addresses []string `json:"addresses"`
}

// run serves until SIGTERM. A rpcx server has one listener, so each address has its own; they share
// the counts.
func run(c *config) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	counts := newCounts()
	nested := &nestedClients{}
	plugins := c.limits.plugins()
	var servers []*server.Server
	var addresses []string
	failed := make(chan error, len(c.listen))
	for _, address := range c.listen {
		ln, real, err := c.open(address)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w", address, err)
		}
		s, err := newServer(c, plugins, counts, nested)
		if err != nil {
			return err
		}
		network, _, _ := strings.Cut(real, "@")
		go func() {
			if err := s.ServeListener(network, ln); !errors.Is(err, server.ErrServerClosed) {
				failed <- fmt.Errorf("serving %s: %w", real, err)
			}
		}()
		<-s.Started
		servers, addresses = append(servers, s), append(addresses, real)
	}
	output := json.NewEncoder(os.Stdout)
	output.SetEscapeHTML(false)
	if err := output.Encode(ready{true, "go", version(), addresses}); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range servers {
		all.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "shutdown:", err)
			}
		})
	}
	all.Wait()
	nested.close()
	return output.Encode(counts.stopped())
}

func newServer(c *config, plugins []server.Plugin, counts *counts, nested *nestedClients) (*server.Server, error) {
	s := server.NewServer(c.options...)
	s.DisableHTTPGateway, s.DisableJSONRPC = true, true
	if c.auth != nil {
		s.AuthFunc = func(_ context.Context, _ *protocol.Message, token string) error {
			if token != *c.auth {
				return errors.New("invalid token")
			}
			return nil
		}
	}
	for _, plugin := range plugins {
		s.Plugins.Add(plugin)
	}
	s.HandleServiceError = func(error) {} // errors are answers here, not news
	return s, register(s, c.meta, counts, nested)
}

// version is that of the rpcx module in this program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/smallnest/rpcx" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}
