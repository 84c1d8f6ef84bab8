package bench

import (
	"librpcx.test/bench/pb"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Text fills every string of the classic benchmark's request.
const Text = "许多往事在眼前一幕一幕，变的那麼模糊"

// Size of the request in protobuf, and of the reply to it.
const (
	RequestLen = 581
	ReplyLen   = 527
)

// Request is the classic benchmark's message: every field but field5 set.
func Request() *pb.BenchmarkMessage {
	m := &pb.BenchmarkMessage{}
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.IsList() {
			continue
		}
		switch r.Get(f).Interface().(type) {
		case string:
			r.Set(f, protoreflect.ValueOf(Text))
		case bool:
			r.Set(f, protoreflect.ValueOf(true))
		case int32:
			r.Set(f, protoreflect.ValueOf(int32(100_000)))
		case int64:
			r.Set(f, protoreflect.ValueOf(int64(100_000)))
		}
	}
	return m
}

var (
	ok      = "OK"
	hundred = int32(100)
)

// Answer is what a server does with a request it may change.
func Answer(m *pb.BenchmarkMessage) {
	m.Field1, m.Field2 = &ok, &hundred
}

// Good is what a client checks on every reply.
func Good(m *pb.BenchmarkMessage) error {
	if m.GetField1() != "OK" || m.GetField2() != 100 {
		return ErrReply
	}
	return nil
}
