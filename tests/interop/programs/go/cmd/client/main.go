// The interop driver on Go's rpcx: it reads commands, one JSON object a line, and answers each with
// a line of the same id.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"

	"interop/wire"
)

const usage = `usage: client

Drives the interop test services with Go's rpcx client. Reads commands from stdin, one JSON object a
line, and answers each on stdout with a line of the same id:

  {"id":1,"do":"client","name":"c","discovery":"tcp@127.0.0.1:8972"}
  {"id":2,"do":"call","client":"c","service":"Arith","method":"Mul","args":{"A":6,"B":7}}

do: client update call oneway oneshot broadcast fork inform burst cancel pushes stats shutdown close
sleep. Go's rpcx has no batch. At the end of input every client is closed.
`

func main() {
	for _, arg := range os.Args[1:] {
		if arg == "--help" || arg == "-h" {
			fmt.Print(usage)
			return
		}
		fmt.Fprintf(os.Stderr, "client: unknown argument %q\n\n%s", arg, usage)
		os.Exit(2)
	}
	wire.LogToStderr()
	wire.Register()
	d := &driver{
		out: bufio.NewWriter(os.Stdout), clients: map[string]*driverClient{}, calls: map[string]*cancelable{},
	}
	if err := d.serve(os.Stdin); err != nil {
		fmt.Fprintf(os.Stderr, "client: %v\n", err)
		os.Exit(1)
	}
}

// driver is the state that commands share.
type driver struct {
	outMu sync.Mutex
	out   *bufio.Writer

	clients map[string]*driverClient // only the reading loop touches it
	running sync.WaitGroup

	mu    sync.Mutex
	calls map[string]*cancelable // by id, as JSON
}

// cancelable is a running command that cancel can end.
type cancelable struct{ cancel context.CancelCauseFunc }

func (d *driver) serve(in io.Reader) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			d.line(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, c := range d.clients {
		c.close(0)
	}
	d.running.Wait()
	return nil
}

// answer is a result or failure as a JSON object without id.
func answer(res any, f *failure) map[string]any {
	line := map[string]any{"ok": f == nil}
	if f != nil {
		line["error"] = f
		return line
	}
	switch res := res.(type) {
	case *result:
		line["reply"], line["metadata"] = res.Reply, res.Metadata
		line["server"], line["attempts"], line["ms"] = res.Server, res.Attempts, res.Ms
	case map[string]any:
		maps.Copy(line, res)
	}
	return line
}

func (d *driver) reply(id json.RawMessage, res any, f *failure) {
	line := answer(res, f)
	line["id"] = id
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		text.Reset()
		_ = encoder.Encode(map[string]any{"id": id, "ok": false, "error": fail("internal", maybeRun, err.Error())})
	}
	d.outMu.Lock()
	defer d.outMu.Unlock()
	_, _ = d.out.Write(text.Bytes())
	if err := d.out.Flush(); err != nil {
		os.Exit(1) // nobody reads the answers any more
	}
}

// line obeys one command; those that take time go on beside the next line.
func (d *driver) line(text []byte) {
	id := json.RawMessage("null")
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		d.reply(id, nil, misuse("a command is a JSON object on one line"))
		return
	}
	if given, ok := fields["id"]; ok {
		id = given
	}
	var do string
	var wait bool
	for name, target := range map[string]any{"do": &do, "wait": &wait} {
		if given, ok := fields[name]; ok {
			if err := json.Unmarshal(given, target); err != nil {
				d.reply(id, nil, misuse("%s: %v", name, err))
				return
			}
		}
	}
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool {
		return name == "id" || name == "do" || name == "wait"
	})
	rest, err := json.Marshal(fields)
	if err != nil {
		d.reply(id, nil, misuse("%v", err))
		return
	}
	if wait {
		d.running.Wait()
	}
	work, f := d.command(do, rest)
	if f != nil || work == nil {
		d.reply(id, nil, f)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	key, this := canonical(id), &cancelable{cancel}
	d.mu.Lock()
	d.calls[key] = this
	d.mu.Unlock()
	d.running.Go(func() {
		res, f := work(ctx)
		d.mu.Lock()
		if d.calls[key] == this { // not yet taken by a later command with the same id
			delete(d.calls, key)
		}
		d.mu.Unlock()
		cancel(nil)
		d.reply(id, res, f)
	})
}

// canonical is one spelling for equal ids.
func canonical(id json.RawMessage) string {
	var v any
	if parseJSON(id, &v) != nil {
		return string(id)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return string(id)
	}
	return string(text)
}
