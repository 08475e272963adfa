package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
	"github.com/google/go-cmp/cmp"
)

// scaled has a parameter without axes.
type scaled struct{}

func (scaled) Forward(s *nn.Scope, x *graph.Node) *graph.Node {
	return s.Mul(x, s.Param("scale", nn.Constant(1.5)))
}

func TestSaveLoad(t *testing.T) {
	net := nn.Sequential{scaled{}, small(0)}
	for _, d := range []graph.DType{graph.Float32, graph.Float64} {
		tr := rows(Adam{LR: 0.05})
		tr.Model, tr.DType, tr.Out = net, d, t.TempDir()
		run, err := tr.Fit(classes(12))
		must(t, run, err)
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := run.State.Save(path); err != nil {
			t.Fatal(err)
		}
		fresh, err := tr.New(classes(12))
		if must(t, fresh, err); digest(t, fresh) == digest(t, run) {
			t.Error("a fresh run has the digest of a trained one")
		}
		if err := fresh.State.Load(path); err != nil || digest(t, fresh) != digest(t, run) {
			t.Errorf("%v: load: %v, or another digest", d, err)
		}
		tr.Resume, tr.Steps = true, 20 // a scalar's moments too
		run, err = tr.Fit(classes(12))
		must(t, run, err)
	}
}

// TestLoadConverts reads float32 weights into a float64 model and the other way round.
func TestLoadConverts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	tr := rows(Adam{LR: 0.05})
	run, err := tr.Fit(classes(12))
	if err := must(t, run, err).State.Save(path); err != nil {
		t.Fatal(err)
	}
	tr.DType = graph.Float64
	wide, err := tr.New(classes(12))
	if err := must(t, wide, err).State.Load(path); err != nil {
		t.Fatal(err)
	}
	for _, p := range run.State.Params.All() {
		if d := cmp.Diff(values(t, run.State, p.Name), values(t, wide.State, p.Name)); d != "" {
			t.Errorf("%s as float64 (want, got):\n%s", p.Name, d)
		}
	}
	if err := wide.State.Save(path); err != nil {
		t.Fatal(err)
	}
	tr.DType = graph.Float32
	narrow, err := tr.New(classes(12))
	if err := must(t, narrow, err).State.Load(path); err != nil || digest(t, narrow) != digest(t, run) {
		t.Errorf("float32 to float64 and back: %v, or another digest", err)
	}
}

func TestLoadMatching(t *testing.T) {
	fresh, err := rows(SGD{LR: 1}).New(classes(12))
	must(t, fresh, err)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	write := func(ts ...safetensors.Tensor) {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := safetensors.Write(f, ts, nil); err != nil {
			t.Fatal(err)
		}
	}
	ones := func(name string, shape ...int) safetensors.Tensor {
		return safetensors.Of(name, shape, slices.Repeat([]float32{1}, graph.Shape(shape).Size()))
	}
	write(ones("0.weight", 3, 7), ones("0.bias", 8), ones("3.weight", 7), ones("other", 2), ones("4.bias", 3))
	before := everything(t, fresh.State)
	err = fresh.State.Load(path)
	wantErr(t, "strict", err, path, "wrong shape: 0.bias is [8], the model wants [7]", "missing: 3.bias, 4.weight", "unexpected: other")
	if d := cmp.Diff(before, everything(t, fresh.State)); d != "" {
		t.Errorf("a refused file changed the model:\n%s", d)
	}
	got, err := fresh.State.LoadMatching(path)
	want := Mismatch{Missing: []string{"3.bias", "4.weight"}, Unexpected: []string{"other"}, WrongShape: []string{"0.bias is [8], the model wants [7]"}}
	if d := cmp.Diff(want, must(t, got, err)); d != "" {
		t.Errorf("mismatch (want, got):\n%s", d)
	}
	after := everything(t, fresh.State)
	for name, v := range after {
		loaded := name == "0.weight" || name == "3.weight" || name == "4.bias"
		if loaded && slices.Max(v) != 1 || loaded && slices.Min(v) != 1 || !loaded && !cmp.Equal(v, before[name]) {
			t.Errorf("%s is %v, was %v", name, v, before[name])
		}
	}
	write(ones("0.weight", 3, 7), safetensors.Of("0.bias", []int{7}, make([]int32, 7)))
	_, err = fresh.State.LoadMatching(path)
	wantErr(t, "ids for numbers", err, "0.bias has dtype I32, the model wants float32")
	if d := cmp.Diff(after, everything(t, fresh.State)); d != "" {
		t.Errorf("a refused file changed the model:\n%s", d)
	}
}

// TestLongMismatch keeps an error of many names to one short line.
func TestLongMismatch(t *testing.T) {
	var m Mismatch
	for range 100 {
		m.Missing = append(m.Missing, "h.0.attn.c_attn.weight")
	}
	if s := m.String(); len(s) > 120 || !strings.HasSuffix(s, "and 97 more") {
		t.Errorf("%q", s)
	}
}
