package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"interop/wire"

	"github.com/smallnest/rpcx/server"
	"github.com/smallnest/rpcx/serverplugin"
)

// limits are the options that are plugins of Go's server. All its listeners share them.
type limits struct {
	allow, deny           []string
	connections, requests float64
	block                 bool
	burst                 time.Duration
}

// set reads one of the options; known is false for others.
func (l *limits) set(name, value string) (known bool, err error) {
	switch name {
	case "access.allow":
		l.allow, err = networks(value)
	case "access.deny":
		l.deny, err = networks(value)
	case "rate_limit.connections":
		l.connections, err = strconv.ParseFloat(value, 64)
	case "rate_limit.requests":
		l.requests, err = strconv.ParseFloat(value, 64)
	case "rate_limit.request_policy":
		if l.block = value == "block"; !l.block && value != "reject" {
			err = errors.New("block or reject")
		}
	case "rate_limit.burst":
		l.burst, err = wire.Duration(value)
	default:
		return false, nil
	}
	return true, err
}

func networks(list string) ([]string, error) {
	entries := strings.Split(list, ",")
	for _, entry := range entries {
		if _, _, err := net.ParseCIDR(entry); err != nil && net.ParseIP(entry) == nil {
			return nil, fmt.Errorf("%q is neither an address nor a network", entry)
		}
	}
	return entries, nil
}

// plugins makes what the options ask for, in the order in which a server of this project asks.
func (l *limits) plugins() (plugins []server.Plugin) {
	if l.allow != nil {
		one, many := split(l.allow)
		plugins = append(plugins, &serverplugin.WhitelistPlugin{Whitelist: one, WhitelistMask: many})
	}
	if l.deny != nil {
		one, many := split(l.deny)
		plugins = append(plugins, &serverplugin.BlacklistPlugin{Blacklist: one, BlacklistMask: many})
	}
	if l.connections > 0 {
		plugins = append(plugins, serverplugin.NewRateLimitingPlugin(l.bucket(l.connections)))
	}
	if l.requests > 0 {
		interval, capacity := l.bucket(l.requests)
		plugins = append(plugins, serverplugin.NewReqRateLimitingPlugin(interval, capacity, l.block))
	}
	return plugins
}

// split tells single addresses from networks.
func split(entries []string) (one map[string]bool, many []*net.IPNet) {
	one = map[string]bool{}
	for _, entry := range entries {
		if _, network, err := net.ParseCIDR(entry); err == nil {
			many = append(many, network)
		} else {
			one[entry] = true
		}
	}
	return one, many
}

// bucket is what Go's buckets are made from: the time to the next token, and how many there may be.
func (l *limits) bucket(perSecond float64) (time.Duration, int64) {
	return time.Duration(float64(time.Second) / perSecond), max(1, int64(perSecond*l.burst.Seconds()))
}
