package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/smallnest/rpcx/protocol"
)

// malformed reads every wrong input for a server again with Go's decoder. Cases that only a real
// socket shows, or that allocate hundreds of megabytes, are left out.
func malformed(r *report, data []byte) error {
	var file struct {
		ToServer []struct {
			Name, Wire string
			Go         struct {
				Read *struct {
					Error        string
					ServiceHex   string `json:"service_hex"`
					MethodHex    string `json:"method_hex"`
					Metadata     string
					Payload      string
					AllocatedMiB int `json:"allocated_mib"`
				} `json:"protocol_read"`
			}
		} `json:"to_server"`
	}
	if err := parse(data, &file); err != nil {
		return err
	}
	for _, c := range file.ToServer {
		want := c.Go.Read
		if want == nil || want.AllocatedMiB > 0 {
			continue
		}
		wire, err := hex.DecodeString(c.Wire)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		protocol.MaxMessageLength = 0
		if c.Name == "huge/over-max-message-length" {
			protocol.MaxMessageLength = 1 << 20
		}
		m, err := protocol.Read(bytes.NewReader(wire))
		if err != nil {
			r.compare(c.Name, "error "+err.Error(), "error "+want.Error)
			continue
		}
		r.compare(c.Name,
			fmt.Sprintf("error  service %x method %x metadata %s payload %x",
				m.ServicePath, m.ServiceMethod, metadataText(m.Metadata), m.Payload),
			fmt.Sprintf("error %s service %s method %s metadata %s payload %s",
				want.Error, want.ServiceHex, want.MethodHex, want.Metadata, want.Payload))
	}
	return nil
}

// metadataText spells metadata as the file does.
func metadataText(metadata map[string]string) string {
	if len(metadata) == 0 {
		return ""
	}
	var pairs []string
	for key, value := range metadata {
		pairs = append(pairs, fmt.Sprintf("%x=%x", key, value))
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, " ") + "}"
}
