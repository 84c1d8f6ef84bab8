// Package bench has what the bench programs on Go's rpcx need besides the harness: the message in
// gogofaster's form, and the answer of a server that is handed both messages.
package bench

import (
	"interop/gogohello"
	"interop/hello"

	"google.golang.org/protobuf/proto"
	"librpcx.test/bench/harness"
)

// Request is the benchmark's request.
func Request() *hello.BenchmarkMessage { return harness.Request(&hello.BenchmarkMessage{}) }

// GogoRequest is the same for the classic benchmark's own generated code.
func GogoRequest() *gogohello.BenchmarkMessage {
	b, err := proto.Marshal(Request())
	harness.Check(err)
	m := &gogohello.BenchmarkMessage{}
	harness.Check(m.Unmarshal(b))
	return m
}

// AnswerInto sets out to the reply to in; it shares in's values (a generated message must not be
// copied as a struct).
func AnswerInto(out, in *hello.BenchmarkMessage) {
	out.Field1, out.Field2 = &harness.OK, &harness.Hundred
	out.Field3, out.Field4, out.Field5, out.Field6, out.Field7 = in.Field3, in.Field4, in.Field5, in.Field6, in.Field7
	out.Field9, out.Field12, out.Field13, out.Field14 = in.Field9, in.Field12, in.Field13, in.Field14
	out.Field16, out.Field17, out.Field18, out.Field22 = in.Field16, in.Field17, in.Field18, in.Field22
	out.Field23, out.Field24, out.Field25, out.Field29 = in.Field23, in.Field24, in.Field25, in.Field29
	out.Field30, out.Field59, out.Field60, out.Field67 = in.Field30, in.Field59, in.Field60, in.Field67
	out.Field68, out.Field78, out.Field80, out.Field81 = in.Field68, in.Field78, in.Field80, in.Field81
	out.Field100, out.Field101, out.Field102, out.Field103 = in.Field100, in.Field101, in.Field102, in.Field103
	out.Field104, out.Field128, out.Field129, out.Field130 = in.Field104, in.Field128, in.Field129, in.Field130
	out.Field131, out.Field150, out.Field271, out.Field272 = in.Field131, in.Field150, in.Field271, in.Field272
	out.Field280 = in.Field280
}
