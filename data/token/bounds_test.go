package token

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBounds opens files that are made to take much, and encodes a long text, each within 10 s. What opening keeps in
// memory is bounded by twice the file and 64 MiB.
func TestBounds(t *testing.T) {
	many := make([]string, 50000)
	for i := range many {
		many[i] = `{"id":9,"content":"<` + strconv.Itoa(i) + `>","special":true}`
	}
	list := strings.Join(many, ",")
	for name, c := range map[string]struct{ old, new, want string }{
		"deep":            {`"normalizer":null`, `"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 20000), "depth"},
		"long token":      {`"<e>"`, `"` + strings.Repeat("a", 1<<20) + `"`, "1048576 bytes, want at most 512"},
		"many tokens":     {`"special":true}`, `"special":true},` + list, ""},
		"far id":          {`"a":0`, `"a":900000`, ""},
		"too far id":      {`"a":0`, `"a":90000000`, "id 90000000"},
		"negative id":     {`"a":0`, `"a":-1`, "id -1"},
		"id past int32":   {`"a":0`, `"a":99999999999`, "cannot unmarshal number"},
		"many merges":     {`"a b"`, strings.Repeat(`"a b",`, 200000) + `"a b"`, ""},
		"pattern":         {`{"type":"ByteLevel"`, `{"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Isolated"}, {"type":"ByteLevel"`, ""},
		"added and holes": {`"a":0`, `"a":1000000`, ""},
	} {
		file := strings.Replace(smallJSON, c.old, c.new, 1)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		tok, err := parseJSON([]byte(file), configFile{})
		took := time.Since(start)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
		if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > int64(2*len(file)+64<<20) || took > 10*time.Second {
			t.Errorf("%s: %d bytes of memory in %v for a file of %d", name, n, took, len(file))
		}
		runtime.KeepAlive(tok)
	}
	tok, err := parseJSON([]byte(strings.Replace(smallJSON, `"<e>"`, `"`+strings.Repeat("a", 511)+`b"`, 1)), configFile{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := tok.Encode(bytes.Repeat([]byte("a"), 1<<18)); err != nil || time.Since(start) > 10*time.Second {
		t.Errorf("a long text without a space: %v in %v", err, time.Since(start))
	}
}

// TestPointer names a pointer of Git LFS in place of each file.
func TestPointer(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"} {
		dir := t.TempDir()
		files := map[string]string{"tokenizer.json": smallJSON}
		if name == "vocab.json" || name == "merges.txt" {
			files = map[string]string{"vocab.json": vocabJSON, "merges.txt": mergesTXT}
		}
		files[name] = pointer
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), name+": this is a Git LFS pointer") {
			t.Errorf("%s: error %v, want one that says it is a Git LFS pointer", name, err)
		}
	}
}
