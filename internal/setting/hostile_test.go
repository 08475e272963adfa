package setting

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// TestRefused gives settings values that they cannot have, as a flag, by --set and in a file.
func TestRefused(t *testing.T) {
	type settings struct {
		Whole int     `yaml:"whole" flag:"whole" usage:"w" range:"[1,inf)"`
		Any   int     `yaml:"any" flag:"any" usage:"a" range:"(-inf,inf)"`
		Seed  uint64  `yaml:"seed" flag:"seed" usage:"s"`
		Share float64 `yaml:"share" flag:"share" usage:"s" range:"[0,1]"`
		Free  float64 `yaml:"free" flag:"free" usage:"f"`
		Word  string  `yaml:"word" flag:"word" usage:"w" oneof:"one two"`
		Parts []struct {
			Scale float64 `yaml:"scale" range:"[0,inf)"`
			Name  string  `yaml:"name"`
		} `yaml:"parts" usage:"p"`
		Nested struct {
			Whole int `yaml:"whole" usage:"w" range:"[1,inf)"`
		} `yaml:"nested"`
	}
	const huge = "99999999999999999999"
	for key, values := range map[string][]string{
		"whole": {"-1", "1.5", ".nan", ".inf", "x", huge, "[1]", "{a: 1}"},
		"any":   {"1.5", ".nan", "-.inf", huge},
		"seed":  {"-1", "1.5", ".nan", huge},
		"share": {"-0.1", "1.1", ".nan", ".inf", "x"},
		"free":  {".nan", ".inf", "-.inf"},
		"word":  {"three", "ONE"},
	} {
		for _, value := range values {
			var s, f settings
			if err := Set(&s, key+"="+value); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("--set %s=%s: %v", key, value, err)
			}
			if err := Read([]byte("nested: {whole: 2}\n"+key+": "+value+"\n"), "file", &s); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %s in a file: %v", key, value, err)
			}
			fl := pflag.NewFlagSet("", pflag.ContinueOnError)
			Flags(fl, &f)
			text := strings.TrimPrefix(value, ".")
			if err := fl.Parse([]string{"--" + key + "=" + text}); err == nil || !strings.Contains(err.Error(), "--"+key) {
				t.Errorf("--%s %s: %v", key, text, err)
			}
			if !cmp.Equal(f, settings{}) {
				t.Errorf("--%s %s leaves %+v", key, text, f)
			}
		}
	}
	for _, expr := range []string{"parts=[{scale: .nan}]", "parts=[{name: a}, {scale: -1}]", "parts=[{scale: .inf}]", "parts=[{other: 1}]", "parts=[1]", "nested.whole=0", "nested.whole=0.5", "whole=0", "nested.other=1", "other=", "whole=!!str 1", "free='1'"} {
		if err := Set(&settings{}, expr); err == nil {
			t.Errorf("--set %s is taken", expr)
		}
	}
	for _, text := range []string{"share: &a 0.5\nwhole: *a", "word: &a two\nwhole: *a", "word: &a '1'\nfree: *a", "whole: &a [*a]", "<<: {whole: 1.5}", "nested: &n {whole: 1.5}"} {
		if err := Read([]byte(text), "file", &settings{}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
	var s settings
	if err := Read([]byte("whole: 3.0\nseed: 1e3\nshare: 1\nfree: -2\nword: two\nany: -5\nparts: [{scale: 2}, {name: b}]"), "file", &s); err != nil || s.Whole != 3 || s.Seed != 1000 || len(s.Parts) != 2 {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestSilent reads files that say nothing, as a whole or in a part: the settings stay as they are.
func TestSilent(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "---\n# nothing\n", "---\n", "null\n", "~", "# a\n\n# b", "train:\n", "train:\n  # nothing\n", "train: null\ntask: ~\n",
		"train:\n  lr:\n  freeze: null\n", "kind: x\nversion: 2\n", "\ufeff# nothing\n"} {
		s := all{Task: "before", Train: loop{Method: "full", Freeze: []string{"a"}, Common: Common{LR: 3}}}
		want := s
		path := filepath.Join(t.TempDir(), "file.yaml")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path, "x", &s); err != nil || !cmp.Equal(s, want, cmp.AllowUnexported(all{})) {
			t.Errorf("%q: %v, %+v", text, err, s)
		}
	}
	for _, text := range []string{"other:\n", "train: {other: }\n"} {
		if err := Read([]byte(text), "file", &all{}); err == nil || !strings.Contains(err.Error(), "other") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestHostile reads files that are made to take memory or time. Each is refused at once, in one line.
func TestHostile(t *testing.T) {
	bomb := "train: [&b0 [x,x,x,x,x,x,x,x,x,x]"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf(", &b%d [%s]", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*b%d,", i-1), 10), ","))
	}
	for name, text := range map[string]string{
		"aliases":        bomb + "]\n",
		"itself":         "train: &a [*a, *a]\n",
		"unknown alias":  "task: *a\n",
		"brackets":       "train: " + strings.Repeat("[", 100000),
		"braces":         "train: " + strings.Repeat("{a: ", 50000),
		"marks":          strings.Repeat("- ", 100000) + "x",
		"questions":      strings.Repeat("? ", 100000),
		"size":           "task: " + strings.Repeat("x", 1<<20),
		"values":         "task: [" + strings.Repeat("a,", 48<<10-10) + "]",
		"no values":      "task: [" + strings.Repeat("[],", 32<<10-10) + "]",
		"lines of lists": "task:\n" + strings.Repeat("- a\n", 24<<10-10),
		"anchors":        strings.Repeat("&a ", 32<<10-10),
		"keys":           strings.Repeat("task: a\n", 1000),
		"not YAML":       "\x00\x01\x02",
		"a list at top":  "- a\n- b\n",
		"a text at top":  "hello",
		"two documents":  "task: a\n---\nother: b\n",
		"a tag of a map": "train: !!binary x\n",
	} {
		path := filepath.Join(t.TempDir(), "file.yaml")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := ReadFile(path, "x", &all{}); err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
			t.Errorf("%s: %.300v", name, err)
		}
		runtime.ReadMemStats(&after)
		if d, n := time.Since(begin), after.TotalAlloc-before.TotalAlloc; d > 10*time.Second || n > 140<<20 { // it is read twice
			t.Errorf("%s: %v, %d bytes were allocated", name, d, n)
		}
	}
}

// FuzzRead reads any file: no panic, and an error of one line.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"train: {lr: 1}", "a: &a [1]\nb: *a", "train:\n  lr: .nan\n", "# x", "<<: *a", "? a\n: b", "task: |\n  x\n", "train: !!map {lr: 1e400}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		defer time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("10 s pass: %q", b)) }).Stop()
		if err := Read(b, "file", &all{}); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(2*len(b)+64<<20) {
			t.Errorf("%d bytes were allocated for %d", n, len(b))
		}
	})
}
