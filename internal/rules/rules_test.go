// Package rules holds what every package of the module must keep: which may import which, and how large files and
// functions may grow.
package rules

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/ceto-ml/ceto/"

// allowed lists for each room the rooms of this module it may import; the leaves below may be
// imported by any. A room not listed here (cmd, bench, examples) may import all but tests' rooms.
var allowed = map[string][]string{
	"train":            {"nn", "graph", "graph/plan", "data", "train/metric", "internal/weights"},
	"train/metric":     {},
	"train/pretrain":   {"train", "gpt", "gpt/generate", "pretrained", "nn", "graph/plan", "data", "data/token", "internal/setting"},
	"train/finetune":   {"train", "train/metric", "gpt", "gpt/generate", "pretrained", "nn", "graph", "graph/plan", "data", "data/record", "data/token", "internal/setting", "internal/weights"},
	"gpt":              {"nn", "graph"},
	"gpt/generate":     {"gpt", "nn", "graph", "graph/plan", "data/token"},
	"pretrained":       {"gpt", "gpt/generate", "nn", "graph", "graph/plan", "data/token", "internal/weights"},
	"models":           {"nn", "graph"},
	"plot":             {"graph"},
	"nn":               {"graph"},
	"graph/plan":       {"graph", "internal/vec"},
	"graph":            {"internal/vec"},
	"graph/graphtest":  {"graph", "graph/plan", "internal/vec"},
	"data":             {"data/token"},
	"data/token":       {},
	"data/record":      {},
	"internal/vec":     {},
	"internal/hub":     {},
	"internal/setting": {},
	"internal/weights": {"graph"},
}

var leaves = map[string]bool{"internal/safetensors": true, "internal/atomicfile": true, "internal/gguf": true, "internal/half": true, "internal/jinja": true}

// onlyTests are imported by tests alone.
var onlyTests = map[string]bool{"graph/graphtest": true, "internal/atomicfile/faultfs": true, "internal/exampletest": true, "internal/goldentest": true}

// The budgets: lines of a function, lines of a file, files of package graph.
const (
	maxFunction = 60
	maxFile     = 400
	maxGraph    = 40
)

func TestRules(t *testing.T) {
	root, graphFiles := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return filepath.SkipDir
		}
		if d.IsDir() && path != root {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
				return filepath.SkipDir // a nested module, for generators
			}
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if filepath.Dir(rel) == "graph" && !strings.HasSuffix(rel, "_test.go") {
			graphFiles++
		}
		return checkFile(t, path, filepath.ToSlash(rel))
	})
	if err != nil {
		t.Fatal(err)
	}
	if graphFiles > maxGraph {
		t.Errorf("package graph has %d files, at most %d", graphFiles, maxGraph)
	}
}

func checkFile(t *testing.T, path, rel string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, src, parser.ParseComments)
	if err != nil {
		return err
	}
	checkImports(t, rel, f)
	if bytes.HasPrefix(src, []byte("// Code generated")) {
		return nil
	}
	if n := bytes.Count(src, []byte("\n")); n > maxFile {
		t.Errorf("%s: %d lines, at most %d", rel, n, maxFile)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > maxFunction {
			t.Errorf("%s: %s has %d lines, at most %d", rel, fn.Name.Name, n, maxFunction)
		}
	}
	return nil
}

func checkImports(t *testing.T, rel string, f *ast.File) {
	room := filepath.ToSlash(filepath.Dir(rel))
	test := strings.HasSuffix(rel, "_test.go")
	list, listed := allowed[room]
	for _, i := range f.Imports {
		to, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module)
		switch {
		case !ours || test || leaves[to] || to == room:
		case onlyTests[to]:
			t.Errorf("%s imports %s, which is for tests", rel, to)
		case listed && !contains(list, to), leaves[room]:
			t.Errorf("%s: %s may not import %s", rel, room, to)
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
