// Package additions shows that the code has room for more. It lays some new files and one line in a list over the
// module, and runs a test of what they add. The tree itself stays unchanged. For tests.
//
//	additions.Addition{
//		Folder: "testdata/additions/task", Into: "train/finetune",
//		List:    "train/finetune/tasks.go",
//		Inserts: []additions.Insert{{
//			After: "// A new task goes below this line.",
//			Line:  `{"share", func() task { return &share{} }},`,
//		}},
//		Package: "./train/finetune", Run: "TestShare",
//	}.Test(t)
package additions

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

// Addition is a change to the module that wants only files of its own and a line in a list. All paths are from the root
// of the module, with slashes.
type Addition struct {
	Folder  string // that holds the files
	Into    string // folder that they and their folders are laid into; one that does not exist becomes a new package
	List    string // file with the list
	Inserts []Insert
	Package string // that is tested, as go test takes it
	Run     string // name of the test
}

// Insert is a line that is put into a list.
type Insert struct {
	After string // a line of the list, without the white space around it, that it has once
	Line  string // that goes behind it
}

// Test runs the test with the addition. It skips with -short, since it builds the package anew.
func (a Addition) Test(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a package anew: skipped with -short")
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := a.overlay(root, t.TempDir())
	if err == nil {
		err = watch(root)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "test", "-count=1", "-v", "-overlay", overlay, "-run", "^"+a.Run+"$", a.Package)
	c.Dir = root
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+a.Run+" ") {
		t.Errorf("%s with %s: %v; want the test to pass:\n%s", a.Run, a.Folder, err, out)
	}
}

// overlay writes into dir the list with the line and the file that go build's -overlay wants, and returns its path.
func (a Addition) overlay(root, dir string) (string, error) {
	at := func(path string) string { return filepath.Join(root, filepath.FromSlash(path)) }
	replace := map[string]string{}
	from := at(a.Folder)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(at(a.Into), rel)
		if _, err := os.Stat(to); err == nil {
			return errors.Errorf("%s is there already; want a file of its own", to)
		}
		replace[to] = path
		return nil
	})
	if err != nil {
		return "", errors.Wrapf(err, "additions: %s", a.Folder)
	}
	if len(replace) == 0 {
		return "", errors.Errorf("additions: %s has no Go files", a.Folder)
	}
	list, err := os.ReadFile(at(a.List))
	if err != nil {
		return "", errors.Wrap(err, "additions")
	}
	with := string(list)
	for _, x := range a.Inserts {
		if with, err = x.insert(with); err != nil {
			return "", errors.Wrapf(err, "additions: %s", a.List)
		}
	}
	replace[at(a.List)] = filepath.Join(dir, "list.go")
	if err := os.WriteFile(replace[at(a.List)], []byte(with), 0o666); err != nil {
		return "", errors.Wrap(err, "additions")
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", errors.Wrap(err, "additions")
	}
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Wrap(os.WriteFile(path, b, 0o666), "additions")
}

// insert returns a list with Line behind After.
func (x Insert) insert(list string) (string, error) {
	lines, at := strings.SplitAfter(list, "\n"), -1
	for i, l := range lines {
		if strings.TrimSpace(l) != x.After {
			continue
		}
		if at >= 0 {
			return "", errors.Errorf("lines %d and %d are both %q; want one", at+1, i+1, x.After)
		}
		at = i
	}
	if at < 0 {
		return "", errors.Errorf("it has no line %q", x.After)
	}
	lines[at] += x.Line + "\n"
	return strings.Join(lines, ""), nil
}

// watch lists all folders of the module, so that go test runs the test anew after any change. It does not know which
// files the go command has read for the test.
func watch(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
}

// moduleRoot is the folder of go.mod, above the one that the test runs in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "additions")
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("additions: no folder above has a go.mod")
		}
		dir = up
	}
}
