package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// older takes the checksums out of a checkpoint, as if an older program had written it.
func older(t testing.TB, ck string) {
	t.Helper()
	path := filepath.Join(ck, stateFile)
	b, err := os.ReadFile(path)
	var p progress
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Sums, p.StateSum = nil, nil
	if b, err = json.MarshalIndent(p, "", "  "); err == nil {
		err = os.WriteFile(path, b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// twoCheckpoints is a run of 6 steps that was stopped after its checkpoints of steps 2 and 4. want is the digest at its
// end.
func twoCheckpoints(t testing.TB) (tr Trainer, want string) {
	t.Helper()
	tr = rows(AdamW{LR: 0.05})
	tr.Steps, tr.CheckpointEvery, tr.Val, tr.EvalEvery, tr.Stop = 6, 2, classes(5), 1, EarlyStopping{RestoreBest: true}
	tr.Files = map[string]func(io.Writer) error{"config.json": func(w io.Writer) error { _, err := fmt.Fprint(w, `{"a": 1}`); return err }}
	run, err := tr.Fit(classes(12))
	if err != nil {
		t.Fatal(err)
	}
	if want, err = run.State.Digest(); err != nil {
		t.Fatal(err)
	}
	tr.Out = filepath.Join(t.TempDir(), "run")
	tr.Callbacks = []Callback{stopAt(5)}
	if _, err := tr.Fit(classes(12)); err != errStopped && !strings.Contains(fmt.Sprint(err), errStopped.Error()) {
		t.Fatal(err)
	}
	tr.Resume, tr.Callbacks = true, nil
	return tr, want
}

// TestNewest damages the newest checkpoint in every way and file: the one before it is taken, which one line says.
func TestNewest(t *testing.T) {
	tr, want := twoCheckpoints(t)
	first, last := filepath.Join(tr.Out, checkpoints, "step-2"), filepath.Join(tr.Out, checkpoints, "step-4")
	names := []string{modelFile, optimFile, bestFile, stateFile, "config.json"}
	whole := files(t, last)
	if len(whole) != len(names) {
		t.Fatalf("a checkpoint of %d files, want %d", len(whole), len(names))
	}
	check := func(what, name string) {
		t.Helper()
		var said []string
		path, err := NewestCheckpoint(tr.Out, func(s string) { said = append(said, s) })
		if err != nil || path != first || len(said) != 1 {
			t.Fatalf("%s, %s: took %s, %v, said %q; want the checkpoint before, in one line", name, what, path, err, said)
		}
		for _, w := range []string{filepath.Join(last, name), first} {
			if !strings.Contains(said[0], w) {
				t.Errorf("%s, %s: said %q; want %q in it", name, what, said[0], w)
			}
		}
	}
	for _, name := range names {
		b := whole[name]
		step := 1 + len(b)/300
		for i := 0; i < len(b); i += step {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << (i % 8)
			put(t, last, map[string][]byte{name: bad})
			check(fmt.Sprintf("bit %d of byte %d flipped", i%8, i), name)
		}
		for _, n := range []int{0, 1, len(b) / 2, len(b) - 1} {
			put(t, last, map[string][]byte{name: b[:n]})
			check(fmt.Sprintf("cut to %d bytes", n), name)
		}
		put(t, last, map[string][]byte{name: append(bytes.Clone(b), 0)})
		check("a byte longer", name)
		os.Remove(filepath.Join(last, name))
		check("missing", name)
		put(t, last, map[string][]byte{name: b})
	}
	if err := os.RemoveAll(last); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(last, 0o777); err != nil {
		t.Fatal(err)
	}
	check("an empty folder", stateFile)
	said := ""
	tr.Warn = func(s string) { said += s + "\n" }
	run, err := tr.Fit(classes(12))
	if must(t, run, err); digest(t, run) != want || strings.Count(said, "taking the last whole checkpoint") != 1 {
		t.Errorf("resumed from the checkpoint before: another digest, or said %q", said)
	}
	wantSteps(t, "resumed", tr.Out, tr.Steps)
}

// TestNewestNone: where no checkpoint is whole, the error is that of the newest. A value that was changed is named.
func TestNewestNone(t *testing.T) {
	tr, _ := twoCheckpoints(t)
	for _, step := range []string{"step-2", "step-4"} {
		path := filepath.Join(tr.Out, checkpoints, step, modelFile)
		b, err := os.ReadFile(path)
		must(t, b, err)
		b[len(b)-1] ^= 0x40
		put(t, filepath.Dir(path), map[string][]byte{modelFile: b})
	}
	before := files(t, tr.Out)
	_, err := tr.Fit(classes(12))
	wantErr(t, "both damaged", err, filepath.Join("step-4", modelFile), "damaged", "CRC-32C", `in tensor "4.weight"`)
	if after := files(t, tr.Out); !bytes.Equal(before[logFile], after[logFile]) || !bytes.Equal(before[runFile], after[runFile]) {
		t.Error("the refused run has changed its folder")
	}
	for path, bad := range map[string]bool{tr.Out: true, filepath.Join(tr.Out, checkpoints, "step-4"): true, t.TempDir(): false} {
		got, err := Resolve(path, nil)
		if (err != nil) != bad || !bad && got != path {
			t.Errorf("Resolve(%s) = %s, %v", path, got, err)
		}
	}
}

// TestOlderCheckpoint: a checkpoint without checksums is read, with one warning.
func TestOlderCheckpoint(t *testing.T) {
	tr, want := twoCheckpoints(t)
	older(t, filepath.Join(tr.Out, checkpoints, "step-4"))
	var said []string
	tr.Warn = func(s string) { said = append(said, s) }
	run, err := tr.Fit(classes(12))
	if must(t, run, err); digest(t, run) != want || len(said) != 1 || !strings.Contains(said[0], "step-4 has no checksums") {
		t.Errorf("another digest, or said %q; want one warning", said)
	}
}
