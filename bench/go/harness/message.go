package harness

import "google.golang.org/protobuf/reflect/protoreflect"

// Text fills every string of the classic benchmark's request.
const Text = "许多往事在眼前一幕一幕，变的那麼模糊"

// Size of the request in protobuf, and of the reply to it.
const (
	RequestLen = 581
	ReplyLen   = 527
)

// What a server sets in the message that it answers: field1 and field2.
var (
	OK      = "OK"
	Hundred = int32(100)
)

// Request makes a BenchmarkMessage, of whatever generated code, the classic benchmark's request:
// every field but field5 is set.
func Request[M protoreflect.ProtoMessage](m M) M {
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

// Reply is a decoded BenchmarkMessage, of whatever generated code.
type Reply interface {
	GetField1() string
	GetField2() int32
}

// Good is what a client checks on every reply.
func Good(m Reply) error {
	if m.GetField1() != OK || m.GetField2() != Hundred {
		return ErrReply
	}
	return nil
}
