package graph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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
	met := map[string]bool{"Foreign": true} // see TestForeign
	for _, s := range graphtest.Samples() {
		met[graph.OpName(s.Op)] = true
		whole, _, _ := graph.PartOf(s.Op)
		met[graph.OpName(whole)] = true
	}
	noTests := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	pkgs, err := parser.ParseDir(token.NewFileSet(), ".", noTests, 0)
	if err != nil {
		t.Fatal(err)
	}
	ops := 0
	for _, f := range pkgs["graph"].Files {
		for _, d := range f.Decls {
			m, ok := d.(*ast.FuncDecl)
			if !ok || m.Name.Name != "Eval" || m.Recv == nil {
				continue
			}
			if op, ok := m.Recv.List[0].Type.(*ast.Ident); ok && op.IsExported() {
				if ops++; !met[op.Name] {
					t.Errorf("%s: no row of graphtest.Cases meets it", op.Name)
				}
			}
		}
	}
	if ops < 30 {
		t.Errorf("found %d ops in the package's files, too few to be all", ops)
	}
}
