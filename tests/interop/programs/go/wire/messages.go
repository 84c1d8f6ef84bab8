package wire

import "time"

// Nothing is an argument or reply without fields.
type Nothing struct{}

// Nested is a struct inside Types.
type Nested struct{ A, B int64 }

// Types has a field of every kind that the codecs carry.
type Types struct {
	Bool    bool
	I8      int8
	I16     int16
	I32     int32
	I64     int64
	U8      uint8
	U16     uint16
	U32     uint32
	U64     uint64
	F32     float32
	F64     float64
	Str     string
	Bytes   []byte
	Time    time.Time
	Dur     int64
	IntList []int64
	StrList []string
	Map     map[string]int64
	Nested  Nested
	Ptr     *Nested
	List    []Nested
}

// Arguments and replies of the service Test.
type (
	SleepArgs     struct{ Ms int64 }
	SleepReply    struct{ Slept int64 }
	TextArgs      struct{ Text string }
	SizeArgs      struct{ Bytes int64 }
	SizeReply     struct{ Data []byte }
	CountArgs     struct{ Method string }
	CountReply    struct{ Started, Finished, Cancelled int64 }
	DeadlineReply struct{ Ms int64 }
	PeerReply     struct{ Address, Tls string }
	NestedArgs    struct {
		Address string
		Depth   int64
		Ms      int64
	}
	NestedReply struct{ Ms int64 }
	PushArgs    struct {
		Count int64
		Text  string
	}
)
