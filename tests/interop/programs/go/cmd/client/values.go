package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"interop/hello"
	"interop/wire"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/smallnest/rpcx/protocol"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// shape makes the typed arguments and reply of a method.
type shape struct{ args, reply func() any }

func typed[A, R any]() shape {
	return shape{func() any { return new(A) }, func() any { return new(R) }}
}

// shapes are the methods whose types this program knows; all others take any value.
var shapes = map[string]shape{
	"Arith.Mul":     typed[wire.ArithArgs, wire.ArithReply](),
	"Arith.Add":     typed[wire.ArithArgs, wire.ArithReply](),
	"Arith.Div":     typed[wire.ArithArgs, wire.ArithReply](),
	"Alias.Times":   typed[wire.ArithArgs, wire.ArithReply](),
	"Arith.Say":     typed[string, string](),
	"Fn.Greet":      typed[string, string](),
	"Echo.Types":    typed[wire.Types, wire.Types](),
	"Echo.Meta":     typed[wire.Nothing, wire.Nothing](),
	"Test.Sleep":    typed[wire.SleepArgs, wire.SleepReply](),
	"Test.Block":    typed[wire.SleepArgs, wire.SleepReply](),
	"Test.Fail":     typed[wire.TextArgs, wire.Nothing](),
	"Test.Panic":    typed[wire.TextArgs, wire.Nothing](),
	"Test.Size":     typed[wire.SizeArgs, wire.SizeReply](),
	"Test.Count":    typed[wire.CountArgs, wire.CountReply](),
	"Test.Deadline": typed[wire.Nothing, wire.DeadlineReply](),
	"Test.Peer":     typed[wire.Nothing, wire.PeerReply](),
	"Test.Nested":   typed[wire.NestedArgs, wire.NestedReply](),
	"Test.Push":     typed[wire.PushArgs, wire.Nothing](),
	"Test.Close":    typed[wire.Nothing, wire.Nothing](),
	"Hello.Say":     typed[hello.BenchmarkMessage, hello.BenchmarkMessage](),
}

// encode makes a payload of the args of a call.
func encode(serialize protocol.SerializeType, s *shape, args any, given bool) ([]byte, *failure) {
	var value any
	switch {
	case serialize == protocol.SerializeNone:
		if given {
			return nil, misuse("args: the codec raw takes hex or size")
		}
		return nil, nil
	case s != nil:
		value = s.args()
		if message, ok := value.(proto.Message); ok {
			if given {
				return nil, misuse("args: give this message as hex")
			}
			value = message
		} else if args != nil {
			if err := wire.Assign(value, args); err != nil {
				return nil, fail("config", notSent, err.Error())
			}
		}
	case serialize == protocol.JSON:
		value = args
	case serialize == protocol.MsgPack:
		value = wire.Dynamic(args)
	case given:
		return nil, fail("codec", notSent, "args: this codec needs a type, and the method has none here")
	default:
		return nil, nil
	}
	data, err := wire.Codecs[serialize].Encode(value)
	if err != nil {
		return nil, fail("codec", notSent, "args: "+err.Error())
	}
	return data, nil
}

// decode makes the value of a reply's payload. Go's codecs panic on some input.
func decode(serialize protocol.SerializeType, s *shape, data []byte) (value any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reply: %v", r)
		}
	}()
	codec := wire.Codecs[serialize]
	switch {
	case serialize == protocol.SerializeNone,
		s == nil && (serialize == protocol.ProtoBuffer || serialize == protocol.Thrift):
		return hex.EncodeToString(data), nil // nothing here knows more of them
	case s == nil && len(data) == 0:
		return nil, nil
	case s == nil:
		err = codec.Decode(data, &value)
		return wire.Line(value), err
	}
	value = s.reply()
	if _, ok := value.(thrift.TStruct); serialize == protocol.Thrift && !ok {
		return nil, fmt.Errorf("reply: %T is no Thrift struct", value)
	}
	if len(data) > 0 {
		if err := codec.Decode(data, value); err != nil {
			return nil, err
		}
	}
	if message, ok := value.(proto.Message); ok {
		text, err := protojson.MarshalOptions{UseProtoNames: true, AllowPartial: true}.Marshal(message)
		return json.RawMessage(text), err
	}
	return wire.Line(value), nil
}

// show gives a reply the form that the case asked for.
func show(form string, serialize protocol.SerializeType, s *shape, data []byte) (any, *failure) {
	switch form {
	case "hex":
		return hex.EncodeToString(data), nil
	case "digest":
		sum := sha256.Sum256(data)
		return map[string]any{"bytes": len(data), "sha256": hex.EncodeToString(sum[:])}, nil
	}
	value, err := decode(serialize, s, data)
	if err != nil {
		return nil, fail("codec", answered, err.Error())
	}
	return value, nil
}

// withIndex replaces "$i" in the args of a burst.
func withIndex(v any, index string) any {
	switch v := v.(type) {
	case string:
		if v == "$i" {
			return json.Number(index)
		}
		return strings.ReplaceAll(v, "$i", index)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = withIndex(v[i], index)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = withIndex(v[key], index)
		}
		return object
	}
	return v
}

// parseJSON decodes with exact numbers.
func parseJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	return d.Decode(v)
}
