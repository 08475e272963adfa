// Package rules holds what every package of the module must keep:
//   - which package may import which,
//   - how large files and functions may grow,
//   - who may ask for a model by its type,
//   - how comments and documents are written.
//
// What does not keep a rule yet is counted in testdata/bounds.txt, where a count only sinks.
package rules

import (
	"bytes"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ceto-ml/ceto/"

// allowed lists for each room the rooms of this module it may import; the leaves below may be
// imported by any. A room not listed here (cmd, bench, examples) may import all but tests' rooms.
var allowed = map[string][]string{
	"train":               {"nn", "graph", "graph/plan", "data", "train/metric", "internal/weights"},
	"train/metric":        {},
	"train/lpft":          {"train", "train/metric", "nn", "graph", "data"},
	"train/finetune":      {"train", "train/lpft", "train/metric", "gpt", "gpt/generate", "pretrained", "nn", "graph", "graph/plan", "data", "data/record", "data/token", "internal/setting", "internal/weights"},
	"train/pretrain":      {"train", "gpt", "gpt/generate", "pretrained", "nn", "graph/plan", "data", "data/token", "internal/setting"},
	"gpt":                 {"nn", "graph"},
	"gpt/generate":        {"gpt", "nn", "graph", "graph/plan", "data/token", "internal/setting"},
	"pretrained":          {"gpt", "gpt/generate", "nn", "graph", "graph/plan", "data/token", "internal/weights"},
	"models":              {"nn", "graph"},
	"nn":                  {"graph", "graph/loss"},
	"plot":                {"graph"},
	"graph/plan":          {"graph", "internal/vec"},
	"graph":               {"internal/vec"},
	"graph/loss":          {"graph"},
	"graph/graphtest":     {"graph", "graph/loss", "graph/plan", "internal/vec"},
	"data":                {"data/token"},
	"data/token":          {},
	"data/record":         {},
	"cuda":                {"graph", "graph/loss", "graph/plan", "cuda/emu", "cuda/emu/driver", "cuda/internal/entry", "cuda/internal/link", "cuda/internal/ext"},
	"cuda/emu":            {},
	"cuda/emu/blas":       {"internal/vec", "cuda/emu"},
	"cuda/emu/driver":     {"cuda/emu", "cuda/emu/blas", "internal/vec"},
	"cuda/internal/entry": {"cuda/emu", "cuda/emu/blas", "cuda/emu/driver", "cuda/internal/link", "cuda/internal/ext"},
	"cuda/internal/link":  {},
	"cuda/internal/ext":   {"cuda/internal/link"},
	"cuda/toolkit":        {},
	"cuda/mutants":        {},
	"internal/vec":        {},
	"internal/hub":        {},
	"internal/setting":    {},
	"internal/weights":    {"graph"},
}

var leaves = map[string]bool{"data/field": true, "internal/safetensors": true, "internal/atomicfile": true, "internal/bounded": true, "internal/gguf": true, "internal/half": true, "internal/jinja": true, "internal/mapped": true, "internal/parquet": true, "internal/splitmix": true, "internal/textfile": true}

// onlyTests are imported by tests alone.
var onlyTests = map[string]bool{"graph/graphtest": true, "internal/atomicfile/faultfs": true, "internal/exampletest": true, "internal/goldentest": true, "internal/additions": true}

// The budgets: lines of a function, lines of a file, files of package graph and of each package below it.
const (
	maxFunction = 60
	maxFile     = 400
	maxGraph    = 40
)

func TestRules(t *testing.T) {
	files := map[string]int{} // by package
	for _, f := range goFiles(t) {
		if f.nested {
			continue
		}
		if !f.test() {
			files[f.room()]++
		}
		checkImports(t, f)
		if !f.generated() {
			checkBudgets(t, f)
		}
	}
	for room, n := range files {
		if within(room, "graph") && n > maxGraph {
			t.Errorf("package %s has %d files, at most %d", room, n, maxGraph)
		}
	}
}

func checkBudgets(t *testing.T, f goFile) {
	if n := bytes.Count(f.src, []byte("\n")); n > maxFile {
		t.Errorf("%s: %d lines, at most %d", f.path, n, maxFile)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunction {
			t.Errorf("%s: %s has %d lines, at most %d", f.path, fn.Name.Name, n, maxFunction)
		}
	}
}

// below lists the rooms whose packages, and those under them, import no program and no training loop; tests may.
var below = []string{"graph", "nn", "gpt"}

func checkImports(t *testing.T, f goFile) {
	room := f.room()
	list, listed := allowed[room]
	if !listed && strings.HasPrefix(room, "graph/") {
		t.Errorf("%s: say in allowed which rooms %s may import", f.path, room)
	}
	for _, i := range f.Imports {
		to, ours := strings.CutPrefix(importPath(i), module)
		switch {
		case !ours || f.test() || leaves[to] || to == room:
		case onlyTests[to]:
			t.Errorf("%s imports %s, which is for tests", f.path, to)
		case listed && !slices.Contains(list, to), leaves[room]:
			t.Errorf("%s: %s may not import %s", f.path, room, to)
		case slices.ContainsFunc(below, func(top string) bool { return within(room, top) }) && (within(to, "cmd") || within(to, "train")):
			t.Errorf("%s: %s may not import %s: no package under %s imports cmd or train", f.path, room, to, strings.Join(below, ", "))
		}
	}
}

// within tells whether room is top or below it.
func within(room, top string) bool { return room == top || strings.HasPrefix(room, top+"/") }
