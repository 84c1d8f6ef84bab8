package bench

import (
	"bytes"
	"testing"

	"librpcx.test/bench/pb"

	"google.golang.org/protobuf/proto"
)

func TestSizes(t *testing.T) {
	in, out := Request(), &pb.BenchmarkMessage{}
	plain, _ := proto.Marshal(in)
	gogo, err := GogoRequest().Marshal()
	if err != nil || len(plain) != RequestLen || !bytes.Equal(plain, gogo) {
		t.Fatalf("request: %d bytes, gogo %d, %v", len(plain), len(gogo), err)
	}
	AnswerInto(out, in)
	Answer(in)
	reply, _ := proto.Marshal(out)
	if !proto.Equal(in, out) || len(reply) != ReplyLen || Good(out) != nil {
		t.Fatalf("reply: %d bytes\n%v\n%v", len(reply), in, out)
	}
}
