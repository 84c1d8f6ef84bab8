package bench

import (
	"librpcx.test/bench/gogopb"
	"librpcx.test/bench/pb"

	"google.golang.org/protobuf/proto"
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

// GogoRequest is the same for the classic benchmark's own generated code.
func GogoRequest() *gogopb.BenchmarkMessage {
	b, err := proto.Marshal(Request())
	Check(err)
	m := &gogopb.BenchmarkMessage{}
	Check(m.Unmarshal(b))
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

// AnswerInto sets out to the reply to in, for servers that are handed both;
// it shares in's values (a generated message must not be copied as a struct).
func AnswerInto(out, in *pb.BenchmarkMessage) {
	out.Field1, out.Field2 = &ok, &hundred
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
