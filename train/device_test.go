package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// A chooser is a CPU that chooses something for each plan that it compiles.
type chooser struct {
	plan.Executor
	name    string
	chosen  int
	taken   string // what Choose got
	compile int    // plans compiled before Choose
}

func (c *chooser) Compile(p *plan.Plan, s plan.State) (plan.Program, error) {
	c.chosen++
	return c.Executor.Compile(p, s)
}

func (c *chooser) Choices() ([]byte, int, error) {
	return fmt.Appendf(nil, "%s %d", c.name, c.chosen), c.chosen, nil
}

func (c *chooser) Choose(b []byte) (string, error) {
	c.taken, c.compile = string(b), c.chosen
	switch {
	case len(b) < 3:
		return "", errors.New("no choices")
	case !strings.HasPrefix(c.taken, c.name):
		return "this is " + c.name, nil
	}
	return "", nil
}

// TestDeviceFile: a run keeps what its executor has chosen, and gives it to the executor where it is resumed, before
// anything is compiled. On another device that is said.
func TestDeviceFile(t *testing.T) {
	tr, d := tinyText(t, nil)
	tr.Out, tr.Steps, tr.Config, tr.noSync = filepath.Join(t.TempDir(), "run"), 2, map[string]int{}, true
	fit := func(name string) (*chooser, []string, error) {
		x := &chooser{Executor: plan.CPU(1), name: name}
		defer x.Close()
		var said []string
		tr.Executor, tr.Warn = x, func(s string) { said = append(said, s) }
		_, err := tr.Fit(d)
		return x, said, err
	}
	path := filepath.Join(tr.Out, deviceFile)
	first, _, err := fit("GPU A")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if want := fmt.Sprintf("GPU A %d\n", first.chosen); err != nil || string(b) != want || first.taken != "" {
		t.Fatalf("%q is kept, want %q; error %v", b, want, err)
	}
	tr.Resume, tr.Steps = true, 3
	again, said, err := fit("GPU A")
	if err != nil || again.taken != string(b) || again.compile != 0 || len(said) != 0 {
		t.Errorf("Choose got %q after %d plans, said %q, error %v", again.taken, again.compile, said, err)
	}
	tr.Steps = 4
	if _, said, err := fit("GPU B"); err != nil || len(said) != 1 || !strings.Contains(said[0], "this is GPU B; the results may differ") {
		t.Errorf("on another device: said %q, error %v", said, err)
	}
	if b, _ := os.ReadFile(path); !strings.HasPrefix(string(b), "GPU B") {
		t.Errorf("%q is kept", b)
	}
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err = fit("GPU B")
	wantErr(t, "a file that holds nothing", err, deviceFile, "no choices")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tr.Steps = 5
	if x, _, err := fit("GPU B"); err != nil || x.taken != "" {
		t.Errorf("without the file: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
