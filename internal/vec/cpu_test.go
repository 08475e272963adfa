package vec

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	small, full := []Path{Generic, AVX2}, []Path{Generic, AVX2, AVX512}
	for _, c := range []struct {
		name  string
		paths []Path
		want  Path
		err   string
	}{
		{"", full, AVX512, ""},
		{"", small, AVX2, ""},
		{"generic", full, Generic, ""},
		{"avx2", full, AVX2, ""},
		{"avx512", full, AVX512, ""},
		{"avx512", small, AVX2, "this machine has no avx512"},
		{"avx2", small[:1], Generic, "want one of [generic]"},
		{"sse", full, AVX512, "no such path"},
		{"AVX2", full, AVX512, "no such path"},
	} {
		got, err := choose(c.name, c.paths)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("choose(%q, %v) = %v, %v; want %v, error with %q", c.name, c.paths, got, err, c.want, c.err)
		}
	}
}

func TestUse(t *testing.T) {
	was := Current()
	defer func() { path = was }()
	for _, p := range Paths() {
		if err := Use(p); err != nil || Current() != p {
			t.Errorf("Use(%v) = %v, then Current() = %v", p, err, Current())
		}
	}
	if err := Use(AVX512 + 1); err == nil || Current() > AVX512 {
		t.Errorf("Use(unknown) = %v, then Current() = %v; want an error and no change", err, Current())
	}
}
