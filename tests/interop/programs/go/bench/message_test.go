package bench

import (
	"bytes"
	"testing"

	"interop/hello"

	"google.golang.org/protobuf/proto"
	"librpcx.test/bench/harness"
)

func TestTheMessageIsTheBenchmarks(t *testing.T) {
	in, out := Request(), &hello.BenchmarkMessage{}
	plain, err := proto.Marshal(in)
	if err != nil || len(plain) != harness.RequestLen {
		t.Fatalf("request: %d bytes, %v", len(plain), err)
	}
	gogo, err := GogoRequest().Marshal()
	if err != nil || !bytes.Equal(plain, gogo) {
		t.Fatalf("gogofaster's request: %d bytes, %v", len(gogo), err)
	}
	if harness.Good(in) == nil {
		t.Fatal("a request is no good reply")
	}
	AnswerInto(out, in)
	in.Field1, in.Field2 = &harness.OK, &harness.Hundred
	reply, err := proto.Marshal(out)
	if err != nil || !proto.Equal(in, out) || len(reply) != harness.ReplyLen || harness.Good(out) != nil {
		t.Fatalf("reply: %d bytes, %v\n%v\n%v", len(reply), err, in, out)
	}
}
