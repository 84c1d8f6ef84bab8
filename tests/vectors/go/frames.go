package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/smallnest/rpcx/protocol"
)

// frameCase is a frame that Go's encoder wrote.
type frameCase struct {
	Name   string
	Header struct {
		Version, Compress, Status, Serialize byte
		Type                                 string
		Heartbeat, Oneway                    bool
		Seq                                  string
	}
	Service, Method string
	Metadata        map[string]string
	Payload         string
	PayloadRule     *struct {
		Len    int
		SHA256 string
	} `json:"payload_rule"`
	Wire       string
	WireLen    int    `json:"wire_len"`
	WireSHA256 string `json:"wire_sha256"`
}

// frames encodes every frame of the encoder's list again. Frames without compression and with at
// most one pair of metadata are compared byte for byte; the order of the metadata and the bytes of
// gzip are arbitrary, so the others are compared after decoding.
func frames(r *report, data []byte) error {
	var file struct{ Cases []frameCase }
	if err := parse(data, &file); err != nil {
		return err
	}
	for _, c := range file.Cases {
		m, err := c.message()
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		wire := m.Encode()
		switch {
		case c.Header.Compress == 0 && len(c.Metadata) <= 1:
			r.compare(c.Name, frameText(wire), c.text())
		case c.Wire == "":
			return fmt.Errorf("%s: neither bytes nor a hash to compare with", c.Name)
		default:
			ours, err := hex.DecodeString(c.Wire)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			r.compare(c.Name, decoded(wire), decoded(ours))
		}
	}
	return nil
}

func (c *frameCase) message() (*protocol.Message, error) {
	m := protocol.NewMessage()
	m.SetVersion(c.Header.Version)
	if c.Header.Type == "response" {
		m.SetMessageType(protocol.Response)
	}
	m.SetHeartbeat(c.Header.Heartbeat)
	m.SetOneway(c.Header.Oneway)
	m.SetCompressType(protocol.CompressType(c.Header.Compress))
	m.SetMessageStatusType(protocol.MessageStatusType(c.Header.Status))
	m.SetSerializeType(protocol.SerializeType(c.Header.Serialize))
	seq, err := strconv.ParseUint(c.Header.Seq, 10, 64)
	if err != nil {
		return nil, err
	}
	m.SetSeq(seq)
	m.ServicePath, m.ServiceMethod, m.Metadata = c.Service, c.Method, c.Metadata
	if c.PayloadRule != nil {
		m.Payload = make([]byte, c.PayloadRule.Len)
		for i := range m.Payload {
			m.Payload[i] = byte(i % 251)
		}
		sum := sha256.Sum256(m.Payload)
		if hex.EncodeToString(sum[:]) != c.PayloadRule.SHA256 {
			return nil, fmt.Errorf("payload_rule: the rule gives other bytes")
		}
		return m, nil
	}
	m.Payload, err = hex.DecodeString(c.Payload)
	return m, err
}

// text is what the file says of the frame: all bytes, or their number and hash.
func (c *frameCase) text() string {
	if c.Wire != "" {
		return c.Wire
	}
	return fmt.Sprintf("%d bytes, sha256 %s", c.WireLen, c.WireSHA256)
}

// frameText is the same for a frame; long ones are kept as a hash.
func frameText(wire []byte) string {
	if len(wire) <= 6000 {
		return hex.EncodeToString(wire)
	}
	sum := sha256.Sum256(wire)
	return fmt.Sprintf("%d bytes, sha256 %x", len(wire), sum)
}

// decoded is all that a frame says, whatever the order of its metadata and its compression.
func decoded(wire []byte) string {
	m, err := protocol.Read(bytes.NewReader(wire))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x %q %q %q %x", m.Header[:], m.ServicePath, m.ServiceMethod, m.Metadata, m.Payload)
}
