package rules

import (
	"go/ast"
	"go/doc"
	"slices"
	"strings"
	"testing"
)

// programs lists the folders whose packages no program of a user's imports.
var programs = []string{"cmd", "bench", "examples", "testdata", "cuda/toolkit", "cuda/mutants"}

// TestExamples counts the packages a user imports that have no runnable Example: one with an "Output:" comment.
// Packages for tests alone need none: no program of a user's imports them, and the tests that do show their use.
func TestExamples(t *testing.T) {
	tests, exported := map[string][]*ast.File{}, map[string]bool{}
	for _, f := range goFiles(t) {
		room := f.room()
		switch inner := slices.Contains(strings.Split(room, "/"), "internal"); {
		case f.nested, inner, onlyTests[room], slices.ContainsFunc(programs, func(top string) bool { return within(room, top) }):
		case f.test():
			tests[room] = append(tests[room], f.File)
		default:
			exported[room] = true
		}
	}
	found := map[key][]finding{}
	for room := range exported {
		if !slices.ContainsFunc(doc.Examples(tests[room]...), func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }) {
			found[key{"example", room}] = []finding{{room, "no Example that go test runs"}}
		}
	}
	checkBounds(t, found, "example")
}
