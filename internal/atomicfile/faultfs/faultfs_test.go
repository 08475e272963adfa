package faultfs

import (
	stderrors "errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// put writes s to a new file, synced or not.
func put(fs *FS, name, s string, sync bool) error {
	f, err := fs.Create(name)
	if err == nil {
		_, err = f.Write([]byte(s))
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	return err
}

// tree lists what is below dir: files with their content, folders with a slash.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		name := strings.TrimPrefix(p, dir)
		switch {
		case err != nil || name == "":
		case info.IsDir():
			all = append(all, name[1:]+"/")
		default:
			b, e := os.ReadFile(p)
			all, err = append(all, name[1:]+"="+string(b)), e
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// TestCrash: what a crash leaves of a folder that has file a with "1", synced.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		name            string
		do              func(fs *FS, dir string) error
		keep, data, all string // after Crash, CrashData, CrashAll
	}{
		{"new file", func(fs *FS, d string) error { return put(fs, d+"/b", "2", false) }, "a=1 b=2", "a=1 b=", "a=1"},
		{"synced file", func(fs *FS, d string) error { return put(fs, d+"/b", "2", true) }, "a=1 b=2", "a=1 b=2", "a=1"},
		{"synced name", func(fs *FS, d string) error {
			return first(put(fs, d+"/b", "2", true), fs.SyncDir(d))
		}, "a=1 b=2", "a=1 b=2", "a=1 b=2"},
		{"emptied", func(fs *FS, d string) error { return put(fs, d+"/a", "2", false) }, "a=2", "a=", "a=1"},
		{"renamed over", func(fs *FS, d string) error {
			return first(put(fs, d+"/b", "2", false), fs.Rename(d+"/b", d+"/a"))
		}, "a=2", "a=", "a=1"},
		{"renamed over, name synced", func(fs *FS, d string) error {
			return first(put(fs, d+"/b", "2", false), fs.Rename(d+"/b", d+"/a"), fs.SyncDir(d))
		}, "a=2", "a=", "a="},
		{"removed", func(fs *FS, d string) error { return fs.RemoveAll(d + "/a") }, "", "", "a=1"},
		{"removed, synced", func(fs *FS, d string) error { return first(fs.RemoveAll(d+"/a"), fs.SyncDir(d)) }, "", "", ""},
		{"folder", func(fs *FS, d string) error {
			return first(fs.Mkdir(d+"/t"), put(fs, d+"/t/b", "2", true), fs.Rename(d+"/t", d+"/f"), fs.SyncDir(d))
		}, "a=1 f/ f/b=2", "a=1 f/ f/b=2", "a=1 f/"},
		{"folder, synced", func(fs *FS, d string) error {
			return first(fs.Mkdir(d+"/t"), put(fs, d+"/t/b", "2", true), fs.SyncDir(d+"/t"), fs.Rename(d+"/t", d+"/f"), fs.SyncDir(d))
		}, "a=1 f/ f/b=2", "a=1 f/ f/b=2", "a=1 f/ f/b=2"},
		{"two renames", func(fs *FS, d string) error {
			return first(put(fs, d+"/b", "2", true), fs.Rename(d+"/a", d+"/c"), fs.Rename(d+"/b", d+"/a"))
		}, "a=2 c=1", "a=2 c=1", "a=1"},
		{"exchanged", func(fs *FS, d string) error {
			return first(put(fs, d+"/b", "2", true), fs.SyncDir(d), fs.Exchange(d+"/a", d+"/b"))
		}, "a=2 b=1", "a=2 b=1", "a=1 b=2"},
	} {
		for kind, want := range map[Kind]string{Crash: c.keep, CrashData: c.data, CrashAll: c.all} {
			dir := t.TempDir()
			if err := os.WriteFile(dir+"/a", []byte("1"), 0o644); err != nil {
				t.Fatal(err)
			}
			fs := New(atomicfile.OS, kind, math.MaxInt)
			if err := c.do(fs, dir); err != nil && !errors.Is(err, stderrors.ErrUnsupported) {
				t.Fatalf("%s: %v", c.name, err)
			} else if err != nil {
				continue // the test's file system cannot exchange
			}
			fs.Crash()
			if d := cmp.Diff(want, tree(t, dir)); d != "" || fs.Err() != nil {
				t.Errorf("%s, %v: %v: %s", c.name, kind, fs.Err(), d)
			}
			if err := fs.Mkdir(dir + "/x"); err != ErrCrashed {
				t.Errorf("%s, %v: Mkdir after the crash: %v", c.name, kind, err)
			}
			if err := fs.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestOnce: the n-th operation alone fails, a write after half of its bytes.
func TestOnce(t *testing.T) {
	for kind, want := range map[Kind]error{NoSpace: syscall.ENOSPC, ReadOnly: syscall.EROFS, IO: syscall.EIO, Short: nil} {
		fs := New(atomicfile.OS, kind, 2)
		name := filepath.Join(t.TempDir(), "a")
		f, err := fs.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.Write([]byte("abcd")); n != 2 || !errors.Is(err, want) || !fs.Fired() {
			t.Errorf("%v: Write = %d, %v, want 2, %v", kind, n, err, want)
		}
		if n, err := f.Write([]byte("ef")); n != 2 || err != nil {
			t.Errorf("%v: the next Write = %d, %v", kind, n, err)
		}
		if err := f.Close(); err != nil || fs.Ops() != 4 {
			t.Errorf("%v: Close: %v after %d operations, want 4", kind, err, fs.Ops())
		}
		if b, err := os.ReadFile(name); string(b) != "abef" || err != nil {
			t.Errorf("%v: the file has %q, %v, want abef", kind, b, err)
		}
	}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
