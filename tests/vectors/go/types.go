package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The Go types of the file's go_types.
type (
	Inner struct {
		ID   int32
		Name string
	}
	Base struct {
		BaseID int64
		Shared string
	}
	Ints struct {
		I   int
		I8  int8
		I16 int16
		I32 int32
		I64 int64
		U   uint
		U8  uint8
		U16 uint16
		U32 uint32
		U64 uint64
	}
	Scalars struct {
		F32 float32
		F64 float64
		B   bool
		S   string
		Bin []byte
	}
	Nilable struct {
		P  *Inner
		PI *int64
		S  []int32
		B  []byte
		M  map[string]int
		A  any
	}
	Nested struct {
		In  Inner
		Ptr *Inner
		L   []Inner
		LP  []*Inner
		Arr [3]int16
	}
	Embedded struct {
		Base
		X int
	}
	EmbeddedPtr struct {
		*Base
		X int
	}
	EmbeddedShadow struct {
		Base
		Shared string
	}
	Tagged struct {
		A int    `msgpack:"a" json:"aa"`
		B string `json:"b,omitempty"`
		C string `msgpack:"c,omitempty"`
		D int    `msgpack:"-" json:"-"`
		E int    `msgpack:",omitempty" json:",omitempty"`
		F int64  `json:"f,string"`
	}
	AsArray struct {
		_msgpack struct{} `msgpack:",as_array"` //nolint:unused // read by the codec
		A        int
		B        string
	}
	Maps struct {
		MSI map[string]int
		MSA map[string]any
		MIS map[int]string
		MSS map[string]string
	}
	Times struct {
		T time.Time
		D time.Duration
	}
	Iface struct{ V any }
	Color int
	Enum  struct{ C Color }
)

func pointer[T any](v T) *T { return &v }

// values are the Go values of the encode cases; a name that is missing here is not in the sample.
func values() map[string]any {
	at := func(seconds, nanos int64) Times {
		return Times{time.Unix(seconds, nanos).UTC(), 1500 * time.Millisecond}
	}
	zone := at(1700000000, 0)
	zone.T = zone.T.In(time.FixedZone("", 2*60*60))
	all := map[string]any{
		"ints/zero":      Ints{},
		"ints/minus-one": Ints{I: -1, I8: -1, I16: -1, I32: -1, I64: -1},
		"ints/one":       Ints{1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		"ints/127":       Ints{127, 127, 127, 127, 127, 127, 127, 127, 127, 127},
		"ints/min":       Ints{I: math.MinInt64, I8: math.MinInt8, I16: math.MinInt16, I32: math.MinInt32, I64: math.MinInt64},
		"ints/max": Ints{math.MaxInt64, math.MaxInt8, math.MaxInt16, math.MaxInt32, math.MaxInt64,
			math.MaxUint64, math.MaxUint8, math.MaxUint16, math.MaxUint32, math.MaxUint64},

		"int/toplevel": 5, "int/toplevel-pointer": pointer(5),
		"int64/toplevel": int64(5), "int64/toplevel-pointer": pointer(int64(5)),
		"int8/toplevel": int8(5), "int16/toplevel": int16(5), "int32/toplevel": int32(5),
		"uint/toplevel": uint(5), "uint8/toplevel": uint8(5), "uint16/toplevel": uint16(5),
		"uint32/toplevel": uint32(5), "uint64/toplevel": uint64(5),

		"map-int/int": map[string]int{"a": 5}, "map-int/int64": map[string]int64{"a": 5},
		"map-int/int32": map[string]int32{"a": 5}, "map-int/uint8": map[string]uint8{"a": 5},
		"map-int/uint64": map[string]uint64{"a": 5},

		"slice/int": []int{1, -1, 300}, "slice/int64": []int64{1, -1, 300}, "slice/int32": []int32{1, -1, 300},
		"slice/int16": []int16{1, -1, 300}, "slice/int8": []int8{1, -1}, "slice/uint8-is-bytes": []byte{1, 255},
		"slice/uint16": []uint16{1, 300}, "slice/uint32": []uint32{1, 300}, "slice/uint64": []uint64{1, 300},
		"slice/string": []string{"a", ""}, "slice/bool": []bool{true, false}, "slice/float64": []float64{1.5, 0},
		"slice/structs": []Inner{{1, "a"}, {2, "b"}}, "array/byte-3": [3]byte{1, 2, 3},

		"map-any/int": map[string]any{"a": 5}, "map-any/int64": map[string]any{"a": int64(5)},
		"map-any/int32": map[string]any{"a": int32(5)}, "map-any/uint8": map[string]any{"a": uint8(5)},
		"map-any/uint": map[string]any{"a": uint(5)}, "map-any/float32": map[string]any{"a": float32(1.5)},
		"map-any/nil": map[string]any{"a": nil},

		"iface/int": Iface{5}, "iface/int64": Iface{int64(5)}, "iface/int32": Iface{int32(5)},
		"iface/uint8": Iface{uint8(5)}, "iface/uint64": Iface{uint64(5)}, "iface/string": Iface{"s"},
		"iface/bytes": Iface{[]byte("b")}, "iface/nil": Iface{}, "iface/struct": Iface{Inner{1, "x"}},
		"named-int": Enum{5},

		"scalars/zero":           Scalars{},
		"scalars/values":         Scalars{1.5, -2.25, true, "ascii", []byte{0, 255}},
		"scalars/float-whole":    Scalars{F32: 3, F64: 3},
		"scalars/float-extremes": Scalars{F32: math.MaxFloat32, F64: math.SmallestNonzeroFloat64},
		"scalars/inf":            struct{ A, B float64 }{math.Inf(1), math.Inf(-1)},
		"scalars/nan":            struct{ A float64 }{math.NaN()},
		"string/invalid-utf8":    struct{ S string }{"a\xffb"},
		"json/html-characters":   struct{ S string }{"<a&b>\u2028"},

		"nil/all":   Nilable{},
		"nil/empty": Nilable{S: []int32{}, B: []byte{}, M: map[string]int{}},
		"nil/set": Nilable{&Inner{1, "x"}, pointer(int64(7)), []int32{1}, []byte("b"),
			map[string]int{"k": 1}, "v"},
		"nil/toplevel-pointer": (*Inner)(nil), "nil/toplevel-interface": nil,
		"pointer/struct": &Inner{1, "a"},
		"nested/values": Nested{Inner{1, "a"}, &Inner{2, "b"}, []Inner{{3, "c"}}, []*Inner{{4, "d"}, nil},
			[3]int16{1, 2, 3}},
		"nested/zero": Nested{},
		"maps/one-entry-each": Maps{map[string]int{"a": 300}, map[string]any{"a": 300},
			map[int]string{7: "x"}, map[string]string{"k": "v"}},
		"maps/int-keys": map[int64]string{7: "x"},

		"embedded/plain":       Embedded{Base{1, "s"}, 2},
		"embedded/pointer":     EmbeddedPtr{&Base{1, "s"}, 2},
		"embedded/nil-pointer": EmbeddedPtr{X: 2},
		"embedded/inline-tag": struct {
			Base `msgpack:",inline" json:",inline"`
			X    int
		}{Base{1, "s"}, 2},
		"embedded/named-tag": struct {
			Base `msgpack:"base" json:"base"`
			X    int
		}{Base{1, "s"}, 2},
		"embedded/shadowed-field": EmbeddedShadow{Base{1, "inner"}, "outer"},
		"tags/zero":               Tagged{},
		"tags/set":                Tagged{1, "b", "c", 4, 5, 6},
		"tags/as-array":           AsArray{A: 1, B: "x"},

		"time/32-bit": at(1700000000, 0), "time/32-bit-max": at(math.MaxUint32, 0), "time/epoch": at(0, 0),
		"time/64-bit-nanos": at(1700000000, 123456789), "time/64-bit-2106": at(math.MaxUint32+1, 0),
		"time/64-bit-max": at(1<<34-1, 999999999), "time/96-bit-future": at(1<<34, 0),
		"time/96-bit-past": at(-1, 0), "time/zero": Times{D: 1500 * time.Millisecond}, "time/zone": zone,
		"time/toplevel": zone.T.UTC(), "duration/negative": struct{ D time.Duration }{-time.Second},

		"unsupported/chan": struct{ C chan int }{make(chan int)}, "unsupported/func": struct{ F func() }{func() {}},
		"unsupported/complex": struct{ C complex128 }{1},
	}
	for _, n := range []int{31, 32, 255, 256, 65535, 65536} {
		all[fmt.Sprint("string/len-", n)] = strings.Repeat("s", n)
		all[fmt.Sprint("bytes/len-", n)] = []byte(strings.Repeat("s", n))
	}
	for _, n := range []int{15, 16, 65535, 65536} {
		all[fmt.Sprint("slice/len-", n)] = make([]int, n)
	}
	return all
}

// fieldValue makes the value of a case such as int-field/-33.
func fieldValue(name string) (any, bool) {
	if text, ok := strings.CutPrefix(name, "int-field/"); ok {
		i, err := strconv.Atoi(text)
		return struct{ I int }{i}, err == nil
	}
	if text, ok := strings.CutPrefix(name, "uint-field/"); ok {
		u, err := strconv.ParseUint(text, 10, 64)
		return struct{ U uint }{uint(u)}, err == nil
	}
	return nil, false
}
