// Command vectors writes a sample of the golden vectors afresh on Go's rpcx and compares it with the
// files in the folder above, so that they cannot drift from the implementation they document.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	rpcxlog "github.com/smallnest/rpcx/log"
)

const usage = `usage: check [FOLDER]

Compares the vector files in FOLDER (default: the one above this program) with what Go's rpcx does.
Prints each difference and the number of cases; exits 1 when there is a difference.
`

// report counts cases and prints differences.
type report struct {
	file           string
	passed, failed int
}

// compare counts one case; name says which, and got and want differ where it fails.
func (r *report) compare(name string, got, want any) {
	g, w := fmt.Sprint(got), fmt.Sprint(want)
	if g == w {
		r.passed++
		return
	}
	r.failed++
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	fmt.Printf("%s: %s: differs at %d\n  Go:   %s\n  file: %s\n", r.file, name, i, excerpt(g, i), excerpt(w, i))
}

// excerpt is the text around a difference.
func excerpt(text string, at int) string {
	from, to := max(0, at-40), min(len(text), at+80)
	return fmt.Sprintf("…%q (%d characters)", text[from:to], len(text))
}

func main() {
	folder := ".."
	for _, arg := range os.Args[1:] {
		switch {
		case arg == "--help" || arg == "-h":
			fmt.Print(usage)
			return
		case len(os.Args) > 2 || arg[:1] == "-":
			fmt.Fprintf(os.Stderr, "unknown arguments %q\n\n%s", os.Args[1:], usage)
			os.Exit(2)
		}
		folder = arg
	}
	rpcxlog.SetDummyLogger()  // it logs the panics that the decoder recovers
	log.SetOutput(io.Discard) // msgpack warns of the shadowed field that a case has on purpose
	passed, failed := 0, 0
	for _, part := range []struct {
		file  string
		check func(*report, []byte) error
	}{
		{"frames.json", frames}, {"payloads.json", payloads}, {"malformed.json", malformed}, {"hash.json", hashes},
		{"discovery_cache.json", caches},
	} {
		r := &report{file: part.file}
		data, err := os.ReadFile(filepath.Join(folder, part.file))
		if err == nil {
			err = part.check(r, data)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", part.file, err)
			os.Exit(2)
		}
		fmt.Printf("%-20s %4d passed, %d failed\n", part.file, r.passed, r.failed)
		passed, failed = passed+r.passed, failed+r.failed
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// parse decodes with exact numbers.
func parse(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}
