package graph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

func TestOps(t *testing.T) { graphtest.RunCPU(t) }

func TestGradients(t *testing.T) { graphtest.Gradcheck(t) }

func TestTapeMachine(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	graphtest.Run(t, graphtest.TapeMachine())
}

func FuzzInfer(f *testing.F) { graphtest.FuzzInfer(f) }

// TestRows says which ops no row of the table meets.
func TestRows(t *testing.T) {
	met := map[string]bool{"Foreign": true, "Copy": true} // see TestForeign; a plan alone makes a Copy, and its tests run it
	for _, s := range graphtest.Samples() {
		met[graph.OpName(s.Op)] = true
		whole, _, _ := graph.WholeOf(s.Op)
		met[graph.OpName(whole)] = true
	}
	ops := exported(t, ".")
	below, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range below {
		if e.IsDir() { // ops may live in any package below this one
			ops = append(ops, exported(t, e.Name())...)
		}
	}
	for _, op := range ops {
		if !met[op] {
			t.Errorf("%s: no row of graphtest.Cases meets it", op)
		}
	}
	if len(ops) < 30 || !slices.Contains(ops, "Compare") {
		t.Errorf("found %d ops in the packages' files, too few to be all", len(ops))
	}
}

// exported lists the exported types of the package in dir that have a method Eval.
func exported(t *testing.T, dir string) (ops []string) {
	noTests := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	pkgs, err := parser.ParseDir(token.NewFileSet(), dir, noTests, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		for _, f := range p.Files {
			for _, d := range f.Decls {
				m, ok := d.(*ast.FuncDecl)
				if !ok || m.Name.Name != "Eval" || m.Recv == nil {
					continue
				}
				if op, ok := m.Recv.List[0].Type.(*ast.Ident); ok && op.IsExported() {
					ops = append(ops, op.Name)
				}
			}
		}
	}
	return ops
}
