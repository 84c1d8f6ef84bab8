package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"interop/wire"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/protocol"
)

// settings are the options of a client, and, changed for one of them, of a call.
type settings struct {
	timeout       time.Duration // 0: none
	idempotent    bool
	retryMaybeRun bool
	hashKey       string
	failMode      client.FailMode
	selectMode    client.SelectMode
	latitude      float64
	longitude     float64
	auth          string
	retries       int
	retryInterval time.Duration
	backupLatency time.Duration
	serializeType protocol.SerializeType
	compressType  protocol.CompressType
	option        client.Option // what Go sets for a connection or for all calls
}

func newSettings() settings {
	o := client.DefaultOption
	o.BidirectionalBlock = true // the driver always takes a push
	return settings{
		failMode: client.Failover, selectMode: client.RandomSelect,
		retries: o.Retries, retryInterval: o.RetryInterval, backupLatency: o.BackupLatency,
		serializeType: o.SerializeType, compressType: o.CompressType,
		option: o,
	}
}

var failModes = map[string]client.FailMode{
	"failover": client.Failover, "failfast": client.Failfast, "failtry": client.Failtry, "failbackup": client.Failbackup,
}

var selectModes = map[string]client.SelectMode{
	"random": client.RandomSelect, "round_robin": client.RoundRobin, "weighted_round_robin": client.WeightedRoundRobin,
	"consistent_hash": client.ConsistentHash, "closest": client.Closest,
}

// Options and values that Go's client does not have.
var (
	missingOptions = []string{
		"stuck_timeout", "max_message_size", "max_decompressed_size", "max_metadata_size", "max_metadata_pairs",
		"max_in_flight", "max_queued_requests", "max_queued_bytes", "idle_timeout", "target", "trace",
	}
	// Go measures weighted_icmp with raw sockets and crashes where it may not.
	missingSelectModes = []string{"least_loaded", "weighted_icmp"}
)

// callOptions are those that a call may set too.
var callOptions = []string{
	"timeout", "idempotent", "retry_maybe_run", "hash_key", "target", "fail_mode", "retries", "retry_interval", "backup_latency",
	"serialize_type", "compress_type",
}

// apply sets options by their names.
func (s *settings) apply(options map[string]any, ofCall bool) *failure {
	for name, value := range options {
		if ofCall && !slices.Contains(callOptions, name) && s.clone().set(name, value) == nil {
			return misuse("option %s is the client's, a call cannot set it", name)
		}
		if f := s.set(name, value); f != nil {
			return f
		}
	}
	return nil
}

func (s *settings) clone() *settings {
	c := *s
	return &c
}

func (s *settings) set(name string, value any) *failure {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	default:
		return misuse("option %s: %v is no value for an option", name, value)
	}
	var err error
	switch name {
	case "timeout":
		s.timeout, err = wire.Duration(text)
	case "connect_timeout":
		s.option.ConnectTimeout, err = wire.Duration(text)
	case "idempotent":
		s.idempotent, err = boolean(text)
	case "retry_maybe_run":
		s.retryMaybeRun, err = boolean(text)
	case "hash_key":
		s.hashKey = text
	case "fail_mode":
		s.failMode, err = choose(failModes, text)
	case "select_mode":
		if slices.Contains(missingSelectModes, text) {
			return unsupported("option select_mode: Go's rpcx cannot select by %s here", text)
		}
		s.selectMode, err = choose(selectModes, text)
	case "latitude":
		s.latitude, err = within(text, 90)
	case "longitude":
		s.longitude, err = within(text, 180)
	case "auth":
		s.auth = text
	case "retries":
		var n uint64
		n, err = strconv.ParseUint(text, 10, 16)
		s.retries = int(n)
	case "retry_interval":
		s.retryInterval, err = wire.Duration(text)
	case "backup_latency":
		s.backupLatency, err = wire.Duration(text)
	case "serialize_type":
		s.serializeType, err = choose(wire.SerializeTypes, text)
	case "compress_type":
		s.compressType, err = choose(wire.CompressTypes, text)
	case "sticky":
		s.option.Sticky, err = boolean(text)
	case "group":
		s.option.Group = text
	case "time_to_disallow":
		s.option.TimeToDisallow, err = wire.Duration(text) // which Go takes and never reads
	case "heartbeat_interval":
		s.option.HeartbeatInterval, err = wire.Duration(text)
		s.option.Heartbeat = s.option.HeartbeatInterval > 0
	case "heartbeat_timeout":
		s.option.MaxWaitForHeartbeat, err = wire.Duration(text)
	default:
		if slices.Contains(missingOptions, name) {
			return unsupported("option %s: Go's client has none like it", name)
		}
		return misuse("unknown option %s", name)
	}
	if err != nil {
		return misuse("option %s: %v", name, err)
	}
	return nil
}

func boolean(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return text == "true", nil
}

func within(text string, limit float64) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < -limit || v > limit {
		return 0, fmt.Errorf("%q is no angle within ±%v", text, limit)
	}
	return v, nil
}

func choose[T any](values map[string]T, text string) (T, error) {
	v, ok := values[text]
	if !ok {
		return v, fmt.Errorf("unknown value %q", text)
	}
	return v, nil
}
