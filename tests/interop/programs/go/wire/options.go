package wire

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	rpcxlog "github.com/smallnest/rpcx/log"
)

// Duration reads an option's duration: "500ms", "2s", or a bare number of milliseconds.
func Duration(text string) (time.Duration, error) {
	if ms, err := strconv.ParseFloat(text, 64); err == nil && ms >= 0 && ms < 1e12 {
		return time.Duration(ms * float64(time.Millisecond)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration such as 500ms", text)
	}
	return d, nil
}

// Size reads an option's size in bytes: "64MiB", "1KiB", or a bare number.
func Size(text string) (int, error) {
	number, factor := text, 1
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			number, factor = rest, 1<<(10*(i+1))
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no size such as 64MiB", text)
	}
	return n * factor, nil
}

// LogToStderr keeps rpcx's log, which goes to stdout otherwise, away from the programs' answers.
func LogToStderr() {
	rpcxlog.SetLogger(rpcxlog.NewDefaultLogger(os.Stderr, "", log.LstdFlags, rpcxlog.LvError))
}
