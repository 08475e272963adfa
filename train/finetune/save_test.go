package finetune

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/atomicfile/faultfs"
)

// saving is a finished run, and a result that is about to take the place of its own.
type saving struct {
	dir      string // of the finished run
	next     *fit
	result   *Result
	old, new string // what a text is answered by both
	saved    string // folder of the adapter or the model
}

func newSaving(t *testing.T, method string) *saving {
	t.Helper()
	s := settings(t, "classify", 60)
	s.Method, s.Train.Epochs, s.Train.LR = method, 1, 1e-3
	v := &saving{dir: filepath.Join(t.TempDir(), "run"), saved: AdapterDir}
	if method == Full {
		v.saved = ModelDir
	}
	if _, err := open(t, s).Fit(Options{Out: v.dir}); err != nil {
		t.Fatal(err)
	}
	s.Train.LR = 0.05
	j := open(t, s)
	var err error
	if v.result, err = j.Fit(Options{}); err != nil {
		t.Fatal(err)
	}
	if v.next, err = j.fit(Options{}); err != nil {
		t.Fatal(err)
	}
	v.old = answered(t, v.dir)
	after := v.copy(t, faultfs.New(atomicfile.OS, faultfs.Crash, 1<<30))
	if err := v.next.save(v.result); err != nil {
		t.Fatal(err)
	}
	if v.new = answered(t, after); v.new == v.old {
		t.Fatalf("both results answer %s: the test proves nothing", v.new)
	}
	return v
}

// copy copies the finished run, where the next save will write through fs.
func (v *saving) copy(t *testing.T, fs atomicfile.FS) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS(v.dir)); err != nil {
		t.Fatal(err)
	}
	v.next.o.Out, v.next.fs = dir, fs
	return dir
}

// answered is what the run in a folder says of a text.
func answered(t *testing.T, dir string) string {
	t.Helper()
	p, err := OpenRun(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := p.Predict([]string{"number 5 is thin"})
	if err != nil {
		t.Fatal(err)
	}
	return a[0].String() + fmt.Sprintf(" %.9f", *a[0].Probability)
}

// TestSaveFaults lets every operation fail with which a resumed run writes adapter, model and result again. The run can
// be used at any time, and is the old one or the new one.
func TestSaveFaults(t *testing.T) {
	for _, method := range []string{LoRA, Full} {
		v := newSaving(t, method)
		kinds := []faultfs.Kind{faultfs.NoSpace, faultfs.Crash, faultfs.CrashAll}
		if testing.Short() {
			kinds = kinds[1:2]
		}
		for _, kind := range kinds {
			n := 1
			for ; ; n++ {
				fs := faultfs.New(atomicfile.OS, kind, n)
				dir := v.copy(t, fs)
				err := v.next.save(v.result)
				if fs.Err() != nil {
					t.Fatal(fs.Err())
				}
				fired := fs.Fired()
				if fired != (err != nil) {
					t.Errorf("%s, %v at operation %d: %v", method, kind, n, err)
				}
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("%s, %v at operation %d: more than a line: %v", method, kind, n, err)
				}
				got := answered(t, dir)
				if got != v.old && got != v.new || !fired && got != v.new {
					t.Errorf("%s, %v at operation %d: the run answers %s; want %s or %s", method, kind, n, got, v.old, v.new)
				}
				fs.Close()
				if !fired {
					break
				}
			}
			if n < 15 {
				t.Errorf("%s: %d operations, want those of checksums, a folder and two files: at least 15", method, n)
			}
		}
	}
}

// TestSavedDamage flips a bit in each file of what a run has saved: it is not opened, and the file is named.
func TestSavedDamage(t *testing.T) {
	for _, method := range []string{LoRA, Full} {
		v := newSaving(t, method)
		entries, err := os.ReadDir(filepath.Join(v.dir, v.saved))
		if err != nil || len(entries) < 3 {
			t.Fatal(entries, err)
		}
		for _, e := range entries {
			path := filepath.Join(v.dir, v.saved, e.Name())
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range []int{0, len(b) / 2, len(b) - 2} {
				b[i] ^= 4
				if err := os.WriteFile(path, b, 0o666); err != nil {
					t.Fatal(err)
				}
				p, err := OpenRun(v.dir, nil)
				if err == nil || !strings.Contains(err.Error(), v.saved) {
					t.Errorf("%s with bit 2 of byte %d flipped: %v", path, i, err)
				}
				if p != nil {
					p.Close()
				}
				b[i] ^= 4
			}
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		answered(t, v.dir)
	}
}
