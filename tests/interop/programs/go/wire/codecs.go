// Package wire is what the programs share: the messages of the test services, the codecs and
// compressors that rpcx uses for them, and their form in the programs' JSON lines.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/smallnest/rpcx/codec"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/share"
)

// Numbers of the compressors that rpcx has no number for.
const (
	Snappy protocol.CompressType = 2
	Zstd   protocol.CompressType = 3
	LZ4    protocol.CompressType = 4
)

// SerializeTypes are the names of rpcx's codecs.
var SerializeTypes = map[string]protocol.SerializeType{
	"raw":      protocol.SerializeNone,
	"json":     protocol.JSON,
	"protobuf": protocol.ProtoBuffer,
	"msgpack":  protocol.MsgPack,
	"thrift":   protocol.Thrift,
}

// CompressTypes are the names of the registered compressors.
var CompressTypes = map[string]protocol.CompressType{
	"none": protocol.None, "gzip": protocol.Gzip, "snappy": Snappy, "zstd": Zstd, "lz4": LZ4,
}

// Payload stands for bytes that are a payload already. Every registered codec passes it through,
// so a handler can echo what it cannot decode and a client can look at an answer as it came.
type Payload struct {
	Data []byte
	// HashKey replaces the data where rpcx makes a consistent-hash key of the arguments.
	HashKey string
}

// String is what rpcx hashes: it formats the arguments with %v.
func (p *Payload) String() string {
	if p.HashKey != "" {
		return p.HashKey
	}
	return string(p.Data)
}

// Codecs are rpcx's own, for those who want to encode outside of a call.
var Codecs = map[protocol.SerializeType]codec.Codec{
	protocol.SerializeNone: codec.ByteCodec{},
	protocol.JSON:          codec.JSONCodec{},
	protocol.ProtoBuffer:   codec.PBCodec{},
	protocol.MsgPack:       codec.MsgpackCodec{},
	protocol.Thrift:        codec.ThriftCodec{},
}

// passing is a codec that lets a Payload through and leaves everything else to another codec.
type passing struct {
	number protocol.SerializeType
	codec  codec.Codec // nil under a number that no codec has
}

func (p passing) unknown() error {
	return fmt.Errorf("can not find codec for %d", p.number)
}

func (p passing) Encode(v any) ([]byte, error) {
	if payload, ok := v.(*Payload); ok {
		return payload.Data, nil
	}
	if p.codec == nil {
		return nil, p.unknown()
	}
	return p.codec.Encode(v)
}

func (p passing) Decode(data []byte, v any) error {
	if payload, ok := v.(*Payload); ok {
		payload.Data = data
		return nil
	}
	if p.codec == nil {
		return p.unknown()
	}
	return p.codec.Decode(data, v)
}

// Register gives rpcx the passing codecs, under every number that a frame can hold, and the
// compressors. It changes rpcx's global tables: call it once, first.
func Register() {
	for n := range protocol.SerializeType(16) {
		share.RegisterCodec(n, passing{n, Codecs[n]})
	}
	protocol.Compressors[Snappy] = &protocol.SnappyCompressor{}
	protocol.Compressors[Zstd] = newZstd()
	protocol.Compressors[LZ4] = lz4Frames{}
}

type zstdFrames struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newZstd() zstdFrames {
	encoder, err := zstd.NewWriter(nil)
	decoder, err2 := zstd.NewReader(nil)
	if err := errors.Join(err, err2); err != nil {
		panic(err) // only bad options fail, and there are none
	}
	return zstdFrames{encoder, decoder}
}

func (z zstdFrames) Zip(data []byte) ([]byte, error)   { return z.encoder.EncodeAll(data, nil), nil }
func (z zstdFrames) Unzip(data []byte) ([]byte, error) { return z.decoder.DecodeAll(data, nil) }

type lz4Frames struct{}

func (lz4Frames) Zip(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	_, err := w.Write(data)
	if err2 := w.Close(); err == nil {
		err = err2
	}
	return out.Bytes(), err
}

func (lz4Frames) Unzip(data []byte) ([]byte, error) {
	return io.ReadAll(lz4.NewReader(bytes.NewReader(data)))
}

// Pattern is the payload of n bytes that cases speak of: byte i is (31·i + 7) mod 256.
func Pattern(n int) []byte {
	// The pattern repeats every 256 bytes.
	period := make([]byte, 256)
	for i := range period {
		period[i] = byte(31*i + 7)
	}
	return slices.Repeat(period, n/256+1)[:n]
}
