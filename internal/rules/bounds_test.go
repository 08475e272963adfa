package rules

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
)

var lower = flag.Bool("lower", false, "write the bounds that have sunk to testdata/bounds.txt")

const boundsFile = "testdata/bounds.txt"

// A key is what a bound holds for: a rule, and a package by its folder or a document by its path.
type key struct{ rule, room string }

// A finding is a place that a rule would rather not see.
type finding struct {
	place string // "graph/op.go:12"
	what  string
}

// checkBounds compares the findings of some rules with the upper bounds that are committed for them. A bound that is
// not there is 0. A count above its bound fails, and so does one below it, so that a bound only sinks:
//
//	go test ./internal/rules -lower
//
// writes the lower counts down. With -v each finding is printed.
func checkBounds(t *testing.T, found map[key][]finding, rules ...string) {
	t.Helper()
	bounds, err := readBounds()
	if err != nil {
		t.Fatal(err)
	}
	keys := maps.Clone(bounds)
	for k := range found {
		keys[k] = bounds[k]
	}
	maps.DeleteFunc(keys, func(k key, _ int) bool { return !slices.Contains(rules, k.rule) })
	for _, k := range sorted(keys) {
		t.Run(k.rule+"/"+k.room, func(t *testing.T) {
			for _, f := range found[k] {
				t.Logf("%s: %s", f.place, f.what)
			}
			switch n := len(found[k]); {
			case n > bounds[k]:
				t.Errorf("%s: %d findings of rule %q, at most %d", k.room, n, k.rule, bounds[k])
			case n < bounds[k] && *lower:
				bounds[k] = n
			case n < bounds[k]:
				t.Errorf("%s: %d findings of rule %q; the bound of %d can sink: go test ./internal/rules -lower", k.room, n, k.rule, bounds[k])
			}
		})
	}
	if *lower {
		if err := writeBounds(bounds); err != nil {
			t.Fatal(err)
		}
	}
}

func sorted(bounds map[key]int) []key {
	return slices.SortedFunc(maps.Keys(bounds), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.room, b.room))
	})
}

func readBounds() (map[key]int, error) {
	src, err := os.ReadFile(boundsFile)
	if err != nil {
		return nil, err
	}
	bounds := map[key]int{}
	for s := bufio.NewScanner(bytes.NewReader(src)); s.Scan(); {
		var k key
		var n int
		if _, err := fmt.Sscan(s.Text(), &k.rule, &k.room, &n); err != nil {
			return nil, fmt.Errorf("%s: %q: want a rule, a package and a count: %v", boundsFile, s.Text(), err)
		}
		bounds[k] = n
	}
	return bounds, nil
}

// writeBounds leaves out what has reached 0.
func writeBounds(bounds map[key]int) error {
	var b bytes.Buffer
	for _, k := range sorted(bounds) {
		if bounds[k] > 0 {
			fmt.Fprintln(&b, k.rule, k.room, bounds[k])
		}
	}
	return os.WriteFile(boundsFile, b.Bytes(), 0o666)
}
