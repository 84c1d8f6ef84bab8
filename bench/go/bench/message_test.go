package bench

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

func TestSizes(t *testing.T) {
	m := Request()
	plain, _ := proto.Marshal(m)
	if len(plain) != RequestLen {
		t.Fatalf("request: %d bytes", len(plain))
	}
	Answer(m)
	reply, _ := proto.Marshal(m)
	if len(reply) != ReplyLen || Good(m) != nil {
		t.Fatalf("reply: %d bytes\n%v", len(reply), m)
	}
}
