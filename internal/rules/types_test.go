package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A packages imports the module's packages, and all that they import, from what the compiler wrote about them.
type packages struct {
	types.Importer
	paths  []string            // those of this module that may be imported
	files  map[string][]string // their Go files for this machine, tests left out, by path
	byName map[string]string   // path by the package's name: this module's first, then the shortest
}

// listPackages asks the go command for the packages, which it compiles where it has not yet.
var listPackages = sync.OnceValues(func() (*packages, error) {
	c := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,GoFiles,Export", "./...")
	c.Dir, c.Stderr = root, new(bytes.Buffer)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %v\n%s", c, err, c.Stderr)
	}
	p := packages{files: map[string][]string{}, byName: map[string]string{}}
	exports := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		exports[l.ImportPath] = l.Export
		p.add(l)
	}
	p.byName["errors"] = "github.com/pkg/errors" // not the standard library's: the house wraps errors
	p.Importer = importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no package %q below %s", path, module)
		}
		return os.Open(exports[path])
	})
	return &p, nil
})

// listed is what the go command says about a package.
type listed struct {
	ImportPath, Name, Dir, Export string
	GoFiles                       []string
}

func (p *packages) add(l listed) {
	ours := strings.HasPrefix(l.ImportPath, module)
	if ours {
		for _, name := range l.GoFiles {
			p.files[l.ImportPath] = append(p.files[l.ImportPath], filepath.Join(l.Dir, name))
		}
	}
	if l.Name == "main" || l.Export == "" || !ours && strings.Contains(l.ImportPath, "internal") {
		return
	}
	if old := p.byName[l.Name]; old == "" || ours || !strings.HasPrefix(old, module) && len(l.ImportPath) < len(old) {
		p.byName[l.Name] = l.ImportPath
	}
	if ours {
		p.paths = append(p.paths, l.ImportPath)
	}
}

func goPackages(t *testing.T) *packages {
	t.Helper()
	p, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The interface that all models implement.
const modelRoom, modelName = "gpt", "Model"

// TestModelsByType counts type switches and type assertions on types that implement gpt's Model, outside the file
// that declares the type. The tests of a package may look at what they got.
func TestModelsByType(t *testing.T) {
	isModel := models(t)
	declared := map[string]string{} // the file of each type
	for _, f := range goFiles(t) {
		for _, name := range typeNames(f) {
			declared[module+f.room()+"."+name] = f.path
		}
	}
	found := map[key][]finding{}
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		for _, e := range typesAsked(f) {
			if name := qualified(f, e); isModel[name] && declared[name] != f.path {
				k := key{"models", f.room()}
				found[k] = append(found[k], finding{fmt.Sprintf("%s:%d", f.path, f.line(e.Pos())), name})
			}
		}
	}
	checkBounds(t, found, "models")
}

// models returns the types of the module that implement the interface of models, by package path and name.
func models(t *testing.T) map[string]bool {
	p := goPackages(t)
	room, err := p.Import(module + modelRoom)
	if err != nil {
		t.Fatal(err)
	}
	obj := room.Scope().Lookup(modelName)
	if obj == nil {
		t.Fatalf("package %s declares no %s", modelRoom, modelName)
	}
	want := obj.Type().Underlying().(*types.Interface)
	found := map[string]bool{}
	for _, path := range p.paths {
		pkg, err := p.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			obj, ok := pkg.Scope().Lookup(name).(*types.TypeName)
			if ok && !types.IsInterface(obj.Type()) && (types.Implements(obj.Type(), want) || types.Implements(types.NewPointer(obj.Type()), want)) {
				found[path+"."+name] = true
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no type implements %s.%s", modelRoom, modelName)
	}
	return found
}

// typeNames returns the names of the types that a file declares.
func typeNames(f goFile) []string {
	var names []string
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			for _, s := range g.Specs {
				names = append(names, s.(*ast.TypeSpec).Name.Name)
			}
		}
	}
	return names
}

// typesAsked returns the types that the file's type switches and type assertions name.
func typesAsked(f goFile) []ast.Expr {
	var asked []ast.Expr
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeAssertExpr:
			if n.Type != nil {
				asked = append(asked, n.Type)
			}
		case *ast.TypeSwitchStmt:
			for _, c := range n.Body.List {
				asked = append(asked, c.(*ast.CaseClause).List...)
			}
		}
		return true
	})
	return asked
}

// qualified returns the package path and name of the type that e names, "" where it is none with a name.
func qualified(f goFile, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return qualified(f, e.X)
	case *ast.ParenExpr:
		return qualified(f, e.X)
	case *ast.Ident:
		return module + f.room() + "." + e.Name
	case *ast.SelectorExpr:
		x, ok := e.X.(*ast.Ident)
		if i := slices.IndexFunc(f.Imports, func(i *ast.ImportSpec) bool { return ok && importName(i) == x.Name }); i >= 0 {
			return importPath(f.Imports[i]) + "." + e.Sel.Name
		}
	}
	return ""
}

// importPath returns what is imported.
func importPath(i *ast.ImportSpec) string {
	p, _ := strconv.Unquote(i.Path.Value) // the parser has unquoted it before
	return p
}

// importName returns the name that the file gives to what it imports. The packages of this module have their folder's.
func importName(i *ast.ImportSpec) string {
	if i.Name != nil {
		return i.Name.Name
	}
	return path.Base(importPath(i))
}

func TestTypesAsked(t *testing.T) {
	const src = `package p

import (
	"github.com/ceto-ml/ceto/gpt"
	other "github.com/ceto-ml/ceto/nn"
)

func f(m any) {
	switch m := m.(type) {
	case gpt.A, *gpt.B:
	case other.C:
		_ = m.(D)
	case []gpt.E, nil:
	}
	_, ok := m.((gpt.F))
}
`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := goFile{File: file, path: "p/p.go", set: set}
	var got []string
	for _, e := range typesAsked(f) {
		if name := qualified(f, e); name != "" {
			got = append(got, strings.TrimPrefix(name, module))
		}
	}
	want := []string{"gpt.A", "gpt.B", "nn.C", "p.nil", "p.D", "gpt.F"} // no type is called nil
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
