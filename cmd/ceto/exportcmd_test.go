package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportCmd exports a tiny model: the files and bytes that the JSON names are there.
func TestExportCmd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	c := exportCmd(&global{JSON: true})
	var out strings.Builder
	c.SetOut(&out)
	c.SetArgs([]string{"--model", filepath.Join("..", "..", "gpt", "testdata", "hf", "llama"), "--to", "hf", "--shard-size", "20kB", dir})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	var r exported
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, name := range r.Files {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if len(r.Files) < 5 || size != r.Bytes {
		t.Errorf("%d bytes in %v, want %d", size, r.Files, r.Bytes)
	}
}

func TestParseBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64 // 0 where it is refused
	}{
		{"5GB", 5e9}, {"1.5GiB", 3 << 29}, {"200 kB", 200e3}, {"7", 7}, {"7B", 7}, {"2mib", 2 << 20},
		{"", 0}, {"GB", 0}, {"0", 0}, {"-1GB", 0}, {"5XB", 0}, {"nan", 0}, {"infB", 0}, {"1e30GB", 0}, {"5GBGB", 0}, {"0.5", 0},
	} {
		if got, err := parseBytes(c.text); got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%q: %d, error %v; want %d", c.text, got, err, c.want)
		}
	}
}
