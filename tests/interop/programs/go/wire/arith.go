package wire

import (
	"context"
	"fmt"
	"math"

	"github.com/apache/thrift/lib/go/thrift"
	"google.golang.org/protobuf/encoding/protowire"
)

// ArithArgs are the arguments of Arith. One Go type serves all codecs: JSON and MessagePack go by
// the field names, protobuf by Marshal and Unmarshal, Thrift by Read and Write.
type ArithArgs struct{ A, B int64 }

// ArithReply is the reply of Arith.
type ArithReply struct{ C int64 }

func (a *ArithArgs) Marshal() ([]byte, error)    { return marshal(a.A, a.B), nil }
func (a *ArithArgs) Unmarshal(data []byte) error { return unmarshal(data, &a.A, &a.B) }

func (a *ArithArgs) Write(ctx context.Context, p thrift.TProtocol) error {
	return write(ctx, p, "Args", field{"A", a.A}, field{"B", a.B})
}
func (a *ArithArgs) Read(ctx context.Context, p thrift.TProtocol) error {
	return read(ctx, p, &a.A, &a.B)
}

func (r *ArithReply) Marshal() ([]byte, error)    { return marshal(r.C), nil }
func (r *ArithReply) Unmarshal(data []byte) error { return unmarshal(data, &r.C) }

func (r *ArithReply) Write(ctx context.Context, p thrift.TProtocol) error {
	return write(ctx, p, "Reply", field{"C", r.C})
}
func (r *ArithReply) Read(ctx context.Context, p thrift.TProtocol) error {
	return read(ctx, p, &r.C)
}

// marshal writes the values as protobuf varints with the field numbers 1, 2, …; zero is left out.
func marshal(values ...int64) []byte {
	var out []byte
	for i, v := range values {
		if v != 0 {
			out = protowire.AppendTag(out, protowire.Number(i+1), protowire.VarintType)
			out = protowire.AppendVarint(out, uint64(v))
		}
	}
	return out
}

func unmarshal(data []byte, values ...*int64) error {
	for _, v := range values {
		*v = 0
	}
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if kind == protowire.VarintType && int(number) <= len(values) {
			v, n := protowire.ConsumeVarint(data)
			if n < 0 {
				return protowire.ParseError(n)
			}
			*values[number-1], data = int64(v), data[n:]
			continue
		}
		n = protowire.ConsumeFieldValue(number, kind, data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
	}
	return nil
}

type field struct {
	name  string
	value int64
}

// write writes the fields as Thrift i32 with the ids 1, 2, …
func write(ctx context.Context, p thrift.TProtocol, name string, fields ...field) error {
	if err := p.WriteStructBegin(ctx, name); err != nil {
		return err
	}
	for i, f := range fields {
		if f.value < math.MinInt32 || f.value > math.MaxInt32 {
			return fmt.Errorf("%s.%s: %d does not fit a Thrift i32", name, f.name, f.value)
		}
		if err := p.WriteFieldBegin(ctx, f.name, thrift.I32, int16(i+1)); err != nil {
			return err
		}
		if err := p.WriteI32(ctx, int32(f.value)); err != nil {
			return err
		}
		if err := p.WriteFieldEnd(ctx); err != nil {
			return err
		}
	}
	if err := p.WriteFieldStop(ctx); err != nil {
		return err
	}
	return p.WriteStructEnd(ctx)
}

func read(ctx context.Context, p thrift.TProtocol, values ...*int64) error {
	for _, v := range values {
		*v = 0
	}
	if _, err := p.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, kind, id, err := p.ReadFieldBegin(ctx)
		if err != nil {
			return err
		}
		switch {
		case kind == thrift.STOP:
			return p.ReadStructEnd(ctx)
		case kind == thrift.I32 && id >= 1 && int(id) <= len(values):
			v, err := p.ReadI32(ctx)
			if err != nil {
				return err
			}
			*values[id-1] = int64(v)
		default:
			if err := p.Skip(ctx, kind); err != nil {
				return err
			}
		}
		if err := p.ReadFieldEnd(ctx); err != nil {
			return err
		}
	}
}
