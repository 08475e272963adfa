package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// moments is how often a test kills a command: n times, or as often as CETO_KILLS says (make kills).
func moments(n int) int {
	if v, err := strconv.Atoi(os.Getenv("CETO_KILLS")); err == nil {
		return v
	}
	return n
}

// contents is a digest of the names and contents of a folder.
func contents(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		h.Write([]byte(path + "\x00" + strconv.Itoa(len(b)) + "\x00"))
		h.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestKillWriters kills commands that write a folder in the place of an older one, at random moments. Each time the
// folder is the old one or the new one, and the next run succeeds.
func TestKillWriters(t *testing.T) {
	dir := textDir(t)
	models, err := filepath.Abs("../../gpt/testdata/hf")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new []string }{
		"tokenizer": {[]string{"tokenize", "train", "text", "--vocab", "270", "--out"}, []string{"tokenize", "train", "texts.csv", "--vocab", "290", "--out"}},
		"corpus": {[]string{"tokenize", "corpus", "text", "--tokenizer", "byte", "--shard", "300", "--out"},
			[]string{"tokenize", "corpus", "texts.csv", "--tokenizer", "byte", "--shard", "2000", "--out"}},
		"export": {[]string{"export", "--force", "--model", models + "/llama-chat", "--to", "hf"}, []string{"export", "--force", "--model", models + "/qwen3", "--to", "hf"}},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(args []string, out string) *exec.Cmd {
				c := exec.Command("ceto", append(args[:len(args):len(args)], out)...)
				c.Dir = dir
				return c
			}
			old, fresh, out := filepath.Join(dir, name+"-old"), filepath.Join(dir, name+"-new"), filepath.Join(dir, name)
			if b, err := run(c.old, old).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			begin := time.Now()
			if b, err := run(c.new, fresh).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			took := time.Since(begin)
			before, after := contents(t, old), contents(t, fresh)
			if before == after {
				t.Fatal("both write the same: the test proves nothing")
			}
			for i := range moments(5) {
				if err := os.RemoveAll(out); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(out, os.DirFS(old)); err != nil {
					t.Fatal(err)
				}
				c1 := run(c.new, out)
				if err := c1.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(rand.Float64() * float64(took)))
				_ = c1.Process.Kill()
				_ = c1.Wait()
				if err := atomicfile.Recover(atomicfile.OS, out); err != nil {
					t.Fatal(err)
				}
				if got := contents(t, out); got != before && got != after {
					t.Errorf("kill %d: the folder is neither the old one nor the new one", i)
				}
			}
			if b, err := run(c.new, out).CombinedOutput(); err != nil || contents(t, out) != after {
				t.Errorf("after kills: %v\n%s", err, b)
			}
		})
	}
}
