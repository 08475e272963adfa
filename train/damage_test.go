package train

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// kept is a run with a checkpoint of all kinds of files, and how to resume it.
func kept(t testing.TB) Trainer {
	t.Helper()
	tr := rows(AdamW{LR: 0.05})
	tr.Out, tr.Steps = filepath.Join(t.TempDir(), "run"), 2
	tr.Val, tr.EvalEvery, tr.Stop = classes(5), 1, EarlyStopping{RestoreBest: true}
	if _, err := tr.Fit(classes(12)); err != nil {
		t.Fatal(err)
	}
	tr.Resume, tr.Steps = true, 4
	return tr
}

// files reads a folder.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func put(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	for name, b := range all {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamaged truncates each file of a checkpoint at every length, and takes it away: an error that names it, and
// nothing is written.
func TestDamaged(t *testing.T) {
	tr := kept(t)
	ck, err := NewestCheckpoint(tr.Out, nil)
	must(t, ck, err)
	whole := files(t, ck)
	if len(whole) != 4 {
		t.Fatalf("a checkpoint of %d files, want 4", len(whole))
	}
	for name, b := range whole {
		step := max(1, len(b)/40)
		for n := 0; n < len(b); n += step {
			if name == stateFile && strings.TrimSpace(string(b[n:])) == "" {
				continue
			}
			put(t, ck, map[string][]byte{name: b[:n]})
			_, err := tr.Fit(classes(12))
			wantErr(t, name, err, filepath.Join(ck, name))
		}
		put(t, ck, map[string][]byte{name: b})
		if err := os.Remove(filepath.Join(ck, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Fit(classes(12)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("without %s: error %v", name, err)
		}
		put(t, ck, map[string][]byte{name: b})
	}
	if d := cmp.Diff(whole, files(t, ck)); d != "" {
		t.Errorf("the checkpoint changed:\n%s", d)
	}
	run, err := tr.Fit(classes(12))
	must(t, run, err)
}

// TestBadState has a state.json that is JSON but not that of a run.
func TestBadState(t *testing.T) {
	tr := kept(t)
	ck, err := NewestCheckpoint(tr.Out, nil)
	path := filepath.Join(must(t, ck, err), stateFile)
	good, err := os.ReadFile(path)
	must(t, good, err)
	for _, c := range []struct{ old, new, want string }{
		{`"step": 2`, `"step": -2`, "not the state of a run"},
		{`"micro": 2`, `"micro": 1`, "not the state of a run"},
		{`"bad_evals": `, `"bad_evals": -1`, "not the state of a run"},
		{`"next": `, `"next": -1`, "not the state of a run"},
		{`"next": `, `"next": 922337203685477580`, "number"},
		{`"step"`, `"stop"`, "unknown field"},
		{`"step": 2`, `"step": 2.5`, "number"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if bad == string(good) {
			t.Fatalf("no %s in %s", c.old, good)
		}
		put(t, ck, map[string][]byte{stateFile: []byte(bad)})
		_, err := tr.Fit(classes(12))
		wantErr(t, c.new, err, path, c.want)
	}
	put(t, ck, map[string][]byte{stateFile: append(good, "{}"...)})
	_, err = tr.Fit(classes(12))
	wantErr(t, "two states", err, path, "not the state of a run")
}

// FuzzCheckpoint writes bytes over a file of a checkpoint: an error or a run that goes on, never a panic.
func FuzzCheckpoint(f *testing.F) {
	names := []string{modelFile, optimFile, bestFile, stateFile}
	f.Add(uint8(0), uint16(0), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint16(0)) // a header of 2⁶³ bytes
	f.Add(uint8(0), uint16(8), []byte(`{"0.weight":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,84]}`), uint16(0))
	f.Add(uint8(1), uint16(200), []byte{0, 0, 0xc0, 0x7f}, uint16(0)) // a NaN
	f.Add(uint8(2), uint16(8), []byte("{}"), uint16(10))
	f.Add(uint8(3), uint16(0), []byte(`{"step":9223372036854775807,"micro":9223372036854775807}`), uint16(56))
	f.Add(uint8(3), uint16(0), []byte(`{"step":2,"micro":2,"seed":3,"position":{"seed":3,"examples":12,"next":9223372036854775807},"lr_scale":1e308}`), uint16(112))
	f.Add(uint8(3), uint16(0), []byte(`{"step":-1}`), uint16(11))
	f.Add(uint8(3), uint16(0), []byte(`null`), uint16(4))
	tr := kept(f)
	ck, err := NewestCheckpoint(tr.Out, nil)
	if err != nil {
		f.Fatal(err)
	}
	older(f, ck) // checksums would find the damage at once
	whole, log := files(f, ck), files(f, tr.Out)[logFile]
	f.Fuzz(func(t *testing.T, which uint8, at uint16, over []byte, size uint16) {
		damaged := maps.Clone(whole)
		name := names[int(which)%len(names)]
		b := append([]byte{}, damaged[name]...)
		copy(b[int(at)%len(b):], over)
		if size > 0 && int(size) < len(b) {
			b = b[:size]
		}
		damaged[name] = b
		tr := tr
		tr.Out, tr.Warn = t.TempDir(), func(string) {}
		dir := filepath.Join(tr.Out, checkpoints, filepath.Base(ck))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		put(t, tr.Out, map[string][]byte{runFile: nil, logFile: log})
		put(t, dir, damaged)
		l, err := tr.Start(classes(12))
		if err != nil {
			return
		}
		defer l.Close()
		if _, err := l.Step(); err == nil {
			err = l.Finish()
		}
		if err != nil && !strings.Contains(err.Error(), "train") {
			t.Errorf("an error without its package: %v", err)
		}
	})
}
