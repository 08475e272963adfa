package pretrain

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/train"
)

// stopped begins a run and stops it with a checkpoint.
func stopped(t *testing.T, s Settings) (out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "run")
	stop := make(chan struct{})
	close(stop)
	if _, _, err := fit(t, s, Options{Out: out, Interrupt: stop}); !errors.Is(err, train.ErrInterrupted) {
		t.Fatal(err)
	}
	return out
}

// resumed goes on with a run and returns what it warns of.
func resumed(t *testing.T, s Settings, out string, changed bool) (warnings []string, err error) {
	t.Helper()
	_, _, err = fit(t, s, Options{Out: out, Resume: true, DataChanged: changed, Warn: func(w string) { warnings = append(warnings, w) }})
	return warnings, err
}

// put writes a file of the given extension.
func put(t *testing.T, ext string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other"+ext)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// tokenFile writes the bytes of a text as ids, of which edit may change some.
func tokenFile(t *testing.T, text []byte, edit func(ids []uint16)) string {
	t.Helper()
	ids := make([]uint16, len(text))
	for i, c := range text {
		ids[i] = uint16(c)
	}
	edit(ids)
	var b bytes.Buffer
	if err := data.WriteTokens(&b, data.NanoGPT, ids); err != nil {
		t.Fatal(err)
	}
	return put(t, ".bin", b.Bytes())
}

// otherData is what a run began with and what it is to go on with.
type otherData struct {
	name          string
	before, after func(s *Settings)
	differ        string // what the error names; "" resumes
}

func otherDatas(t *testing.T, text []byte) []otherData {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text)
	z.Close()
	put := func(b []byte) string { return put(t, ".txt", b) }
	tokens := func(edit func(ids []uint16)) string { return tokenFile(t, text, edit) }
	same := func([]uint16) {}
	ids := tokens(same)
	return []otherData{
		{"nothing", nil, func(*Settings) {}, ""},
		{"moved", nil, func(s *Settings) { s.Data.Path = put(text) }, ""},
		{"packed", nil, func(s *Settings) { s.Data.Path = put(packed.Bytes()) }, ""},
		{"a byte", nil, func(s *Settings) { s.Data.Path = put(bytes.Replace(text, []byte("sleeps"), []byte("sleepS"), 1)) }, "text"},
		{"longer", nil, func(s *Settings) { s.Data.Path = put(append(slices.Clone(text), text...)) }, "parts, text"},
		{"parts", nil, func(s *Settings) { s.Data.Val = 0.2 }, "parts"},
		{"alphabet", func(s *Settings) { s.Data.Tokenizer = "char" }, func(s *Settings) { s.Data.Path = put(bytes.ReplaceAll(text, []byte(" "), []byte("~"))) }, "text, tokenizer"},
		{"token file for text", nil, func(s *Settings) { s.Data.Path = ids }, "tokens held out, tokens to train on, parts, text, tokenizer"},
		{"token file", func(s *Settings) { s.Data.Path = ids }, func(s *Settings) { s.Data.Path = tokens(same) }, ""},
		{"an id to train on", func(s *Settings) { s.Data.Path = ids }, func(s *Settings) { s.Data.Path = tokens(func(ids []uint16) { ids[3]++ }) }, "tokens to train on"},
		{"an id held out", func(s *Settings) { s.Data.Path = ids }, func(s *Settings) { s.Data.Path = tokens(func(ids []uint16) { ids[len(ids)-1]++ }) }, "tokens held out"},
	}
}

// TestOtherData: a run is not resumed with another text, another tokenizer or other parts. The same text at another
// path or in another packing is the same.
func TestOtherData(t *testing.T) {
	first := small(t)
	text, err := os.ReadFile(first.Data.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range otherDatas(t, text) {
		t.Run(c.name, func(t *testing.T) {
			s := first
			s.Train.Steps = 4
			if c.before != nil {
				c.before(&s)
			}
			out := stopped(t, s)
			c.after(&s)
			warnings, err := resumed(t, s, out, false)
			if c.differ == "" {
				if err != nil || len(warnings) > 0 {
					t.Errorf("error %v, warnings %q, want none", err, warnings)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "changed are "+c.differ+";") || !strings.Contains(err.Error(), "--data-changed") {
				t.Fatalf("error %v, want one that names %q and --data-changed", err, c.differ)
			}
			if warnings, err = resumed(t, s, out, true); err != nil && !strings.Contains(err.Error(), "shape") || len(warnings) != 1 || !strings.Contains(warnings[0], c.differ) {
				t.Errorf("with DataChanged: error %v, warnings %q, want one of %q", err, warnings, c.differ)
			}
			if err == nil {
				if warnings, err = resumed(t, s, out, false); err != nil || len(warnings) > 0 {
					t.Errorf("once gone on: error %v, warnings %q", err, warnings)
				}
			}
		})
	}
}

// TestOlderCheckpoint goes on with a checkpoint that has no digests, and warns once.
func TestOlderCheckpoint(t *testing.T) {
	s := small(t)
	s.Train.Steps = 4
	out := stopped(t, s)
	path := filepath.Join(out, "checkpoints", "step-0", "state.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatal(err)
	}
	if _, ok := state["data_digests"]; !ok {
		t.Fatalf("no digests in %s", b)
	}
	for _, k := range []string{"data_digests", "checksums", "state_crc32c"} {
		delete(state, k)
	}
	if b, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	warnings, err := resumed(t, s, out, false)
	n := 0
	for _, w := range warnings {
		if strings.Contains(w, "no digest of its data") {
			n++
		}
	}
	if err != nil || n != 1 {
		t.Errorf("error %v, warnings %q, want one of a missing digest", err, warnings)
	}
}
