package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// The kinds of failure and their numbers.
var codes = map[string]int{
	"config": 1, "connect": 2, "no_server": 3, "timeout": 4, "service": 5, "cancelled": 6, "overload": 7,
	"protocol": 8, "codec": 9, "limit": 10, "auth": 11, "closed": 12, "shutting_down": 13,
	"unsupported": 14, "internal": 99,
}

// Whether a handler may have run.
const (
	notSent  = "not_sent"
	maybeRun = "maybe_run"
	answered = "answered"
)

// failure is what a command answers instead of a result.
type failure struct {
	Kind     string `json:"kind"`
	Code     int    `json:"code"`
	Delivery string `json:"delivery"`
	Message  string `json:"message"`
	Server   string `json:"server,omitempty"`
	Attempts int    `json:"attempts"`
}

func (f *failure) Error() string { return f.Message }

func fail(kind, delivery, message string) *failure {
	return &failure{Kind: kind, Code: codes[kind], Delivery: delivery, Message: message}
}

func misuse(format string, args ...any) *failure {
	return fail("config", notSent, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) *failure {
	return fail("unsupported", notSent, fmt.Sprintf(format, args...))
}

// Reasons why a call's context ends before its deadline.
var (
	errCancelled = errors.New("the call was cancelled")
	errClosed    = errors.New("the client is closed")
	// errStale is a connection that turned out to be closed before anything was sent on it.
	errStale = errors.New("the connection was closed before the request was sent")
)

// dialError is a connection that could not be opened: nothing was sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// panicError is a panic in Go's client.
type panicError struct{ error }

// lostError is a connection lost under a call that must not run twice. Go retries such a call like
// any other; a client.ServiceError it takes for the server's last word.
type lostError struct{ error }

func (lostError) IsServiceError() bool { return true }
func (e lostError) Unwrap() error      { return e.error }

// classify finds kind and delivery state of an error that Go's client returned. Many of them are
// known by their text alone.
func classify(err error, metadata map[string]string) *failure {
	var dial dialError
	var lost lostError
	var service client.ServiceError
	var panicked panicError
	text := err.Error()
	switch {
	case errors.As(err, &dial):
		return fail("connect", notSent, text)
	case errors.As(err, &panicked):
		return fail("internal", maybeRun, text)
	case errors.As(err, &lost):
		return classify(lost.error, metadata)
	case errors.As(err, &service):
		return fail(serverKind(metadata), answered, text)
	case errors.Is(err, errCancelled), errors.Is(err, context.Canceled):
		return fail("cancelled", maybeRun, errCancelled.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return fail("timeout", maybeRun, "the deadline has passed")
	case errors.Is(err, errClosed):
		return fail("closed", maybeRun, text)
	case errors.Is(err, client.ErrXClientNoServer):
		return fail("no_server", notSent, text)
	case errors.Is(err, client.ErrServerUnavailable):
		return fail("connect", notSent, text)
	case errors.Is(err, client.ErrXClientShutdown), errors.Is(err, errStale), text == "this xclient is closed":
		return fail("closed", notSent, text)
	case errors.Is(err, client.ErrUnsupportedCodec):
		return fail("codec", notSent, text)
	case errors.Is(err, protocol.ErrMessageTooLong):
		return fail("limit", maybeRun, text)
	case strings.HasPrefix(text, "net.OpError: tls:"), strings.HasPrefix(text, "remote error: tls:"):
		// A server refuses a client certificate only after the client's side of the handshake is done.
		return fail("connect", notSent, text)
	case errors.Is(err, client.ErrShutdown), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		strings.HasPrefix(text, "net.OpError"):
		return fail("closed", maybeRun, text)
	}
	return fail("protocol", maybeRun, text) // a frame that Go could not read
}

// serverKind is the kind that a server named, or service.
func serverKind(metadata map[string]string) string {
	code, err := strconv.Atoi(metadata["__rpcx_code"])
	for kind, number := range codes {
		if err == nil && number == code {
			return kind
		}
	}
	return "service"
}

// lost says that the connection ended under the call, after it may have reached the server.
func lost(err error) bool {
	f := classify(err, nil)
	return f.Delivery == maybeRun && f.Kind != "timeout" && f.Kind != "cancelled"
}
