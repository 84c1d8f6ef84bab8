package main

import (
	"context"
	"testing"

	"librpcx.test/bench/harness"
	"librpcx.test/bench/pb"

	"google.golang.org/protobuf/proto"
)

func TestTheMessageIsTheBenchmarks(t *testing.T) {
	request := harness.Request(&pb.BenchmarkMessage{})
	plain, err := proto.Marshal(request)
	if err != nil || len(plain) != harness.RequestLen || harness.Good(request) == nil {
		t.Fatalf("request: %d bytes, %v", len(plain), err)
	}
	answer, _ := hello{}.Say(context.Background(), request)
	reply, err := proto.Marshal(answer)
	if err != nil || len(reply) != harness.ReplyLen || harness.Good(answer) != nil {
		t.Fatalf("reply: %d bytes, %v", len(reply), err)
	}
}
