package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/smallnest/rpcx/codec"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

type protobufCase struct{ Name, Value, Protobuf, Error string }

// protobufs encodes the messages that have a value. The type is put together here: its fields have
// the numbers 1 to 16 in the order of the list below.
func protobufs(r *report, cases []protobufCase) error {
	scalars, err := scalarMessage()
	if err != nil {
		return err
	}
	for _, c := range cases {
		switch c.Name {
		case "zero", "ones", "minus-one", "min", "max":
		default:
			continue // needs a generated type, or only decodes
		}
		var fields map[string]any
		if err := parse([]byte(c.Value), &fields); err != nil {
			return fmt.Errorf("protobuf/%s: %w", c.Name, err)
		}
		delete(fields, "Pick") // a oneof, here never set
		value, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("protobuf/%s: %w", c.Name, err)
		}
		message := dynamicpb.NewMessage(scalars)
		if err := (protojson.UnmarshalOptions{}).Unmarshal(value, message); err != nil {
			return fmt.Errorf("protobuf/%s: %w", c.Name, err)
		}
		data, err := codec.PBCodec{}.Encode(message)
		// A message without generated code has its fields in any order.
		want, err2 := hex.DecodeString(c.Protobuf)
		if err2 != nil {
			return fmt.Errorf("protobuf/%s: %w", c.Name, err2)
		}
		r.compare("protobuf/"+c.Name, outcome(inOrder(data), err), "ok: "+inOrder(want))
		back := dynamicpb.NewMessage(scalars)
		err = codec.PBCodec{}.Decode(data, back)
		r.compare("protobuf/"+c.Name+"/decode", fmt.Sprint(err, proto.Equal(message, back)), fmt.Sprint(nil, true))
	}
	return nil
}

// inOrder is the fields of a message as hex, sorted by their numbers.
func inOrder(data []byte) string {
	fields := map[protowire.Number]string{}
	for len(data) > 0 {
		number, _, n := protowire.ConsumeField(data)
		if n < 0 {
			return protowire.ParseError(n).Error()
		}
		fields[number] += hex.EncodeToString(data[:n])
		data = data[n:]
	}
	text := ""
	for _, number := range slices.Sorted(maps.Keys(fields)) {
		text += fields[number]
	}
	return text
}

func scalarMessage() (protoreflect.MessageDescriptor, error) {
	message := &descriptorpb.DescriptorProto{Name: proto.String("Scalars")}
	for i, name := range []string{
		"double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64",
		"fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes", "color",
	} {
		field := &descriptorpb.FieldDescriptorProto{
			Name: proto.String("f_" + name), JsonName: proto.String("f_" + name), Number: proto.Int32(int32(i + 1)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if name == "color" {
			field.Type = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum()
			field.TypeName = proto.String(".vectors.Color")
		} else {
			number := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(name)]
			field.Type = descriptorpb.FieldDescriptorProto_Type(number).Enum()
		}
		message.Field = append(message.Field, field)
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("vectors.proto"), Package: proto.String("vectors"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{message},
		EnumType: []*descriptorpb.EnumDescriptorProto{{
			Name:  proto.String("Color"),
			Value: []*descriptorpb.EnumValueDescriptorProto{{Name: proto.String("NONE"), Number: proto.Int32(0)}},
		}},
	}, nil)
	if err != nil {
		return nil, err
	}
	return file.Messages().Get(0), nil
}

type thriftCase struct{ Name, Thrift, Result, Error string }

// args is the Thrift struct {1: i64 a, 2: i64 b} as generated code would have it.
type args struct{ a, b int64 }

func (s *args) Write(ctx context.Context, p thrift.TProtocol) error {
	if err := p.WriteStructBegin(ctx, "Args"); err != nil {
		return err
	}
	for i, v := range []int64{s.a, s.b} {
		if err := p.WriteFieldBegin(ctx, "", thrift.I64, int16(i+1)); err != nil {
			return err
		}
		if err := p.WriteI64(ctx, v); err != nil {
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

func (s *args) Read(ctx context.Context, p thrift.TProtocol) error {
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
		case kind == thrift.I64 && (id == 1 || id == 2):
			v, err := p.ReadI64(ctx)
			if err != nil {
				return err
			}
			if id == 1 {
				s.a = v
			} else {
				s.b = v
			}
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

// thrifts decodes the payloads of args and encodes again what has only its fields. The error texts
// come from generated code and are not compared.
func thrifts(r *report, cases []thriftCase) error {
	for _, c := range cases {
		switch c.Name {
		case "decode-unknown-field", "decode-wrong-type", "decode-stop-only":
			data, err := hex.DecodeString(c.Thrift)
			if err != nil {
				return fmt.Errorf("thrift/%s: %w", c.Name, err)
			}
			var s args
			err = codec.ThriftCodec{}.Decode(data, &s)
			r.compare("thrift/"+c.Name, fmt.Sprintf("error %v; a=%d b=%d", err, s.a, s.b), c.Result)
		case "decode-empty", "decode-truncated":
			data, err := hex.DecodeString(c.Thrift)
			if err != nil {
				return fmt.Errorf("thrift/%s: %w", c.Name, err)
			}
			err = codec.ThriftCodec{}.Decode(data, &args{})
			r.compare("thrift/"+c.Name, err != nil, true)
		case "not-a-struct":
			_, err := codec.ThriftCodec{}.Encode(Inner{})
			r.compare("thrift/"+c.Name, fmt.Sprint(err), c.Error)
		}
	}
	data, err := codec.ThriftCodec{}.Encode(&args{10, 20})
	// The payload that frames.json carries under thrift.
	r.compare("thrift/args", outcome(hex.EncodeToString(data), err), "ok: 0a0001000000000000000a0a0002000000000000001400")
	return nil
}
