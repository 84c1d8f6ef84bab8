package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/edwingeng/doublejump"
	"github.com/smallnest/rpcx/client"
)

// hashes computes the hashes of keys and the buckets they fall into.
func hashes(r *report, data []byte) error {
	var file struct {
		Keys []struct {
			Name, Key  string
			FNV1a64    string
			Jump       []int32 `json:"jump_index_for_1_to_20_buckets"`
			DoubleJump []int   `json:"doublejump_for_1_to_20_nodes"`
			Removed    []int   `json:"doublejump_of_10_after_removing_one"`
		}
		Jump []struct {
			Key            json.Number
			Buckets, Index []int32
		}
	}
	if err := parse(data, &file); err != nil {
		return err
	}
	for _, c := range file.Keys {
		hash := client.HashString(c.Key)
		r.compare("keys/"+c.Name+"/fnv1a64", strconv.FormatUint(hash, 10), c.FNV1a64)
		var jump []int32
		var double, removed []int
		for n := range len(c.Jump) {
			jump = append(jump, client.Hash(hash, int32(n+1)))
			double = append(double, ring(n+1).Get(hash).(int))
		}
		for gone := range len(c.Removed) {
			h := ring(len(c.Removed))
			h.Remove(gone)
			removed = append(removed, h.Get(hash).(int))
		}
		r.compare("keys/"+c.Name+"/jump", jump, c.Jump)
		r.compare("keys/"+c.Name+"/doublejump", double, c.DoubleJump)
		r.compare("keys/"+c.Name+"/removed", removed, c.Removed)
	}
	for _, c := range file.Jump {
		key, err := strconv.ParseUint(c.Key.String(), 10, 64)
		if err != nil {
			return fmt.Errorf("jump: %w", err)
		}
		var index []int32
		for _, buckets := range c.Buckets {
			index = append(index, client.Hash(key, buckets))
		}
		r.compare("jump/"+c.Key.String(), index, c.Index)
	}
	return nil
}

// ring is a doublejump ring of the nodes 0 to n−1.
func ring(n int) *doublejump.Hash {
	h := doublejump.NewHash()
	for node := range n {
		h.Add(node)
	}
	return h
}
