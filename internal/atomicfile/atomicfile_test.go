package atomicfile_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
	"github.com/pkg/errors"
)

const big = 1 << 17 // bytes: more than the buffer, so that it takes several writes

// fast is OS without waiting for the disk.
func fast() atomicfile.FS { return faultfs.New(atomicfile.OS, faultfs.Crash, math.MaxInt) }

// save writes a folder of two files that are made of s.
func save(fs atomicfile.FS, path, s string) error {
	return atomicfile.Dir(fs, path, func(d *atomicfile.DirWriter) error {
		err := d.File("model", func(w io.Writer) error {
			for range 2 {
				if _, err := w.Write(bytes.Repeat([]byte(s), big/2/len(s))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return d.File("state", func(w io.Writer) error { _, err := io.WriteString(w, s); return err })
	})
}

// load returns what save was given, or an error if the folder is not whole.
func load(path string) (string, error) {
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return "", err
	}
	state, err := os.ReadFile(filepath.Join(path, "state"))
	if err != nil {
		return "", err
	}
	model, err := os.ReadFile(filepath.Join(path, "model"))
	if err == nil && !bytes.Equal(model, bytes.Repeat(state, big/max(1, len(state)))) {
		err = errors.Errorf("model of %d bytes is not that of state %q", len(model), state)
	}
	return string(state), err
}

// saveFile and loadFile are the same with one file.
func saveFile(fs atomicfile.FS, path, s string) error {
	return atomicfile.WriteFile(fs, path, func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte(s), big/len(s)))
		return err
	})
}

func loadFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for _, s := range []string{"old!", "new!"} {
		if bytes.Equal(b, bytes.Repeat([]byte(s), big/4)) {
			return s, nil
		}
	}
	return "", errors.Errorf("a file of %d bytes that is neither", len(b))
}

// TestFaults: whatever fails, and wherever, the old or the new one is there after, whole. It is the new one if there
// was no error. The next write succeeds and leaves nothing beside.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name       string
		save       func(atomicfile.FS, string, string) error
		load       func(string) (string, error)
		old        bool // there is an old one
		noExchange bool
		ops        int // at least
	}{
		{"folder", save, load, false, false, 13},
		{"folder replaced", save, load, true, false, 15},
		{"folder replaced in two steps", save, load, true, true, 17},
		{"file", saveFile, loadFile, false, false, 6},
		{"file replaced", saveFile, loadFile, true, false, 6},
	} {
		for _, kind := range faultfs.Kinds {
			for n := 1; ; n++ {
				name := fmt.Sprintf("%s, %v at %d", c.name, kind, n)
				dir := t.TempDir()
				path := filepath.Join(dir, "step-10")
				if c.old {
					if err := c.save(fast(), path, "old!"); err != nil {
						t.Fatal(err)
					}
				}
				fs := faultfs.New(atomicfile.OS, kind, n)
				fs.NoExchange = c.noExchange
				err := c.save(fs, path, "new!")
				fired := fs.Fired()
				if kind >= faultfs.Crash {
					fs.Crash() // after success, too
				}
				check(t, name, fs, err, kind)
				if _, e := os.Stat(path); e != nil && c.old && kind < faultfs.Crash {
					t.Errorf("%s: a failure that is no crash took the old one away: %v", name, e)
				}
				got, e := c.load(path)
				if want := []string{"old!", "new!"}; e != nil && (c.old || err == nil || !errors.Is(e, os.ErrNotExist)) || e == nil && !slices.Contains(want, got) {
					t.Errorf("%s: loads %q, %v, after error %v", name, got, e, err)
				}
				if err == nil && got != "new!" {
					t.Errorf("%s: no error, but %q is there", name, got)
				}
				again(t, name, c.save, c.load, path)
				if !fired {
					if n <= c.ops {
						t.Errorf("%s: only %d operations, want at least %d", name, n-1, c.ops)
					}
					break
				}
				os.RemoveAll(dir)
			}
		}
	}
}

// check tests that a fault was an error.
func check(t *testing.T, name string, fs *faultfs.FS, err error, kind faultfs.Kind) {
	t.Helper()
	if fs.Fired() && err == nil && kind != faultfs.Short {
		t.Errorf("%s: no error", name)
	}
	if err != nil && (!fs.Fired() || !strings.Contains(err.Error(), "step-10: ")) {
		t.Errorf("%s: error %v", name, err)
	}
	if fs.Err() != nil {
		t.Errorf("%s: faultfs: %v", name, fs.Err())
	}
	if err := fs.Close(); err != nil {
		t.Error(err)
	}
}

// again tests that the next write succeeds and leaves nothing beside.
func again(t *testing.T, name string, save func(atomicfile.FS, string, string) error, load func(string) (string, error), path string) {
	t.Helper()
	if err := save(fast(), path, "new!"); err != nil {
		t.Errorf("%s: again: %v", name, err)
	}
	if got, err := load(path); err != nil || got != "new!" {
		t.Errorf("%s: again: loads %q, %v", name, got, err)
	}
	if rest, _ := filepath.Glob(path + ".*"); len(rest) > 0 {
		t.Errorf("%s: leaves %v", name, rest)
	}
}

func TestDirErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := save(atomicfile.OS, path, "old!"); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	err := atomicfile.Dir(atomicfile.OS, path, func(d *atomicfile.DirWriter) error {
		for _, name := range []string{"", ".", "..", "a/b", "../a", "/a"} {
			if err := d.File(name, func(io.Writer) error { return nil }); err == nil || !strings.Contains(err.Error(), "not the name of a file") {
				t.Errorf("File(%q): %v", name, err)
			}
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Errorf("error %v, want the function's", err)
	}
	if got, err := load(path); got != "old!" || err != nil {
		t.Errorf("%q, %v after an error", got, err)
	}
	if _, err := os.Stat(path + atomicfile.TmpSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unfinished folder stays: %v", err)
	}
	if err := save(atomicfile.OS, filepath.Join(path, "none", "b"), "new!"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no parent: %v, want ErrNotExist", err)
	}
}

// TestRecover: a write that fails does not lose what a crash left aside.
func TestRecover(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := save(fast(), path+atomicfile.OldSuffix, "old!"); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	if err := atomicfile.Dir(fast(), path, func(*atomicfile.DirWriter) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("error %v, want the function's", err)
	}
	if got, err := load(path); got != "old!" || err != nil {
		t.Errorf("%q, %v after a failed write", got, err)
	}
	if err := atomicfile.Recover(atomicfile.OS, filepath.Join(path, "none")); err != nil {
		t.Errorf("nothing to recover: %v", err)
	}
}

// TestRecoverPaths: a folder that was left aside comes back by its own path or that of a file in it. It never takes the
// place of one that is there.
func TestRecoverPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, p := range []string{path, path + "/", filepath.Join(path, "state"), filepath.Join(path, "none")} {
		if err := save(fast(), path+atomicfile.OldSuffix, "old!"); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.Recover(atomicfile.OS, p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if b, err := os.ReadFile(filepath.Join(path, "state")); string(b) != "old!" {
			t.Errorf("%s: %q, %v", p, b, err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"old!", "new!"} {
		if err := save(fast(), path+map[string]string{"old!": atomicfile.OldSuffix}[s], s); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := load(path); got != "new!" || err != nil {
		t.Errorf("%q, %v beside an old one", got, err)
	}
	if err := atomicfile.Recover(atomicfile.OS, filepath.Join(path, "state", "x")); err != nil {
		t.Errorf("below a file: %v", err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	fails := faultfs.New(atomicfile.OS, faultfs.ReadOnly, 1)
	defer fails.Close()
	if err := save(fast(), path+atomicfile.OldSuffix, "old!"); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Recover(fails, path); err == nil || !strings.Contains(err.Error(), "Recover: "+path) {
		t.Errorf("a folder that cannot be put back: %v", err)
	}
}

// reading is a file system on which a reader calls Recover after each rename.
type reading struct {
	atomicfile.FS
	path  string
	times int
}

func (r *reading) Rename(a, b string) error {
	err := r.FS.Rename(a, b)
	if r.times > 0 && b == r.path+atomicfile.OldSuffix {
		r.times--
		return errors.WithMessage(atomicfile.Recover(atomicfile.OS, r.path), "reader")
	}
	return err
}

// TestRecoverMeanwhile: a reader that puts the old folder back while it is replaced does not stop the writer.
func TestRecoverMeanwhile(t *testing.T) {
	for times, want := range map[int]string{0: "new!", 1: "new!", 3: "new!", 100: "old!"} {
		path := filepath.Join(t.TempDir(), "a")
		if err := save(fast(), path, "old!"); err != nil {
			t.Fatal(err)
		}
		fs := faultfs.New(atomicfile.OS, faultfs.Crash, math.MaxInt)
		fs.NoExchange = true
		err := save(&reading{fs, path, times}, path, "new!")
		if got, e := load(path); got != want || e != nil || (err == nil) != (want == "new!") {
			t.Errorf("%d readers: %q, %v after error %v, want %q", times, got, e, err, want)
		}
		if err := fs.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"step-10", "step-20" + atomicfile.TmpSuffix} {
		if err := os.MkdirAll(filepath.Join(dir, d, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.Clean(atomicfile.OS, dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || filepath.Base(left[0]) != "step-10" {
		t.Errorf("left: %v, want step-10", left)
	}
	if err := atomicfile.Clean(atomicfile.OS, filepath.Join(dir, "none")); err == nil {
		t.Error("Clean of no folder: no error")
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if os.Getenv("CETO_LOCK") != "" { // the other process
		_, err := atomicfile.Lock(os.Getenv("CETO_LOCK"))
		fmt.Println(err, errors.Is(err, atomicfile.ErrInUse))
		return
	}
	l, err := atomicfile.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	other := func() string {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestLock$")
		cmd.Env = append(os.Environ(), "CETO_LOCK="+path)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	want := fmt.Sprintf("atomicfile: Lock: %s: process %d: in use by another process true", path, os.Getpid())
	if got := other(); !strings.HasPrefix(got, want) {
		t.Errorf("another process gets %q, want %q", got, want)
	}
	if _, err := atomicfile.Lock(path); !errors.Is(err, atomicfile.ErrInUse) {
		t.Errorf("a second lock: %v, want ErrInUse", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if got := other(); !strings.HasPrefix(got, "<nil> false") {
		t.Errorf("after Unlock another process gets %q", got)
	}
	if _, err := atomicfile.Lock(filepath.Join(path, "x")); err == nil || errors.Is(err, atomicfile.ErrInUse) {
		t.Errorf("a path that cannot be: %v", err)
	}
}
