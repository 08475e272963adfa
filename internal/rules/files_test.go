package rules

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the folder of the module.
var root = filepath.Join("..", "..")

// A goFile is a parsed file of the repository.
type goFile struct {
	*ast.File
	path   string // below root, with slashes
	src    []byte
	set    *token.FileSet
	nested bool // in a module of its own: a generator
}

// room is the folder of the file's package.
func (f goFile) room() string           { return path.Dir(f.path) }
func (f goFile) test() bool             { return strings.HasSuffix(f.path, "_test.go") }
func (f goFile) generated() bool        { return bytes.HasPrefix(f.src, []byte("// Code generated")) }
func (f goFile) line(pos token.Pos) int { return f.set.Position(pos).Line }

// goFiles parses all Go files of the repository, once for all tests.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	all, err := parseAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var parseAll = sync.OnceValues(func() ([]goFile, error) {
	var all []goFile
	nested := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." {
				return filepath.SkipDir
			}
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			nested[rel] = rel != "." && (err == nil || nested[filepath.Dir(rel)])
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parseFile(name)
		f.path, f.nested = filepath.ToSlash(rel), nested[filepath.Dir(rel)]
		all = append(all, f)
		return err
	})
	return all, err
})

func parseFile(name string) (goFile, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return goFile{}, err
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, src, parser.ParseComments)
	return goFile{File: f, src: src, set: set}, err
}
