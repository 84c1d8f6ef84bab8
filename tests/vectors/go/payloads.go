package main

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"github.com/smallnest/rpcx/codec"
)

var (
	msgpackCodec codec.MsgpackCodec
	jsonCodec    codec.JSONCodec
)

// payloads encodes and decodes with rpcx's codecs.
func payloads(r *report, data []byte) error {
	var file struct {
		Encode []struct {
			Name         string
			Msgpack      *string
			MsgpackError string `json:"msgpack_error"`
			JSON         *string
			JSONError    string `json:"json_error"`
			Note         string
		}
		MsgpackAccepts []struct {
			Name, Msgpack string
			Into          map[string]string `json:"go_decodes_into"`
		} `json:"msgpack_accepts"`
		JSONAccepts []struct {
			JSONHex string `json:"json_hex"`
			Text    string
			Into    map[string]string `json:"go_decodes_into"`
		} `json:"json_accepts"`
		Protobuf []protobufCase
		Thrift   []thriftCase
	}
	if err := parse(data, &file); err != nil {
		return err
	}
	values := values()
	for _, c := range file.Encode {
		value, ok := values[c.Name]
		if !ok {
			if value, ok = fieldValue(c.Name); !ok {
				continue
			}
		}
		bytes, err := msgpackCodec.Encode(value)
		got := hex.EncodeToString(bytes)
		if strings.Contains(c.Note, "first") && c.Msgpack != nil { // the file holds the start alone
			got = got[:min(len(got), len(*c.Msgpack))]
		}
		r.compare("encode/"+c.Name+"/msgpack", outcome(got, err), expected(c.Msgpack, c.MsgpackError))
		if c.JSON != nil || c.JSONError != "" {
			bytes, err = jsonCodec.Encode(value)
			r.compare("encode/"+c.Name+"/json", outcome(string(bytes), err), expected(c.JSON, c.JSONError))
		}
	}
	for _, c := range file.MsgpackAccepts {
		if strings.Contains(c.Name, "no data") { // Go believes the length: gigabytes
			continue
		}
		if err := accepts(r, "msgpack_accepts/"+c.Name, msgpackCodec, c.Msgpack, c.Into); err != nil {
			return err
		}
	}
	for _, c := range file.JSONAccepts {
		if err := accepts(r, "json_accepts/"+c.Text, jsonCodec, c.JSONHex, c.Into); err != nil {
			return err
		}
	}
	if err := protobufs(r, file.Protobuf); err != nil {
		return err
	}
	return thrifts(r, file.Thrift)
}

func outcome(text string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return "ok: " + text
}

func expected(text *string, failure string) string {
	if text == nil {
		return "error: " + failure
	}
	return "ok: " + *text
}

// targets are the types that the sample decodes into, of those that the file has.
var targets = map[string]reflect.Type{
	"int": reflect.TypeFor[int](), "int8": reflect.TypeFor[int8](), "int16": reflect.TypeFor[int16](),
	"int32": reflect.TypeFor[int32](), "int64": reflect.TypeFor[int64](), "uint": reflect.TypeFor[uint](),
	"uint8": reflect.TypeFor[uint8](), "uint16": reflect.TypeFor[uint16](), "uint32": reflect.TypeFor[uint32](),
	"uint64": reflect.TypeFor[uint64](), "float32": reflect.TypeFor[float32](), "float64": reflect.TypeFor[float64](),
	"bool": reflect.TypeFor[bool](), "string": reflect.TypeFor[string](), "[]byte": reflect.TypeFor[[]byte](),
	"[2]int32": reflect.TypeFor[[2]int32](), "Inner": reflect.TypeFor[Inner](),
	"map[string]int": reflect.TypeFor[map[string]int](), "[]int32": reflect.TypeFor[[]int32](),
}

// accepts decodes one input into each of the targets.
func accepts(r *report, name string, c codec.Codec, input string, into map[string]string) error {
	data, err := hex.DecodeString(input)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for target, want := range into {
		if t, ok := targets[target]; ok {
			value := reflect.New(t)
			err := c.Decode(data, value.Interface())
			got := "error: " + fmt.Sprint(err)
			if err == nil {
				got = "ok: " + show(value.Elem())
			}
			// The file names the types without their package.
			r.compare(name+"/"+target, strings.ReplaceAll(got, "main.", ""), want)
		}
	}
	return nil
}

// show spells a value as the file does.
func show(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%+q", v.String())
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil():
		return "nil"
	case v.Type() == targets["[]byte"]:
		return fmt.Sprintf("bytes %x", v.Bytes())
	}
	return fmt.Sprintf("%+v", v.Interface())
}
