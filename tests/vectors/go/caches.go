package main

import (
	"os"
	"path/filepath"

	"github.com/smallnest/rpcx/client"
)

// caches writes the files in which Go's rpcx keeps the servers that a discovery found.
func caches(r *report, data []byte) error {
	var file struct {
		Files []struct {
			Name  string
			Nodes []struct{ Address, Metadata string }
			File  string
		}
	}
	if err := parse(data, &file); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "caches")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for _, c := range file.Files {
		var pairs []*client.KVPair
		for _, node := range c.Nodes {
			pairs = append(pairs, &client.KVPair{Key: node.Address, Value: node.Metadata})
		}
		found, err := client.NewMultipleServersDiscovery(pairs)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, c.Name+".json")
		client.CacheDiscovery(0, path, found).GetServices()
		found.Close()
		written, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.compare(c.Name, string(written), c.File)
	}
	return nil
}
