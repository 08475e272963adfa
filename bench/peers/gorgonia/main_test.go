package main

import (
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/safetensors"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestGolden compares loss, logits and every gradient with PyTorch's, so that the timed step is known to be right.
func TestGolden(t *testing.T) {
	f, err := safetensors.Open("../../../testdata/golden/gpt_tiny.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := config{Layers: 2, Heads: 4, Width: 32, Context: 16, Batch: 2, Vocab: 96}
	m, err := newModel(c, func(p param) *tensor.Dense {
		return tensor.New(tensor.WithShape(p.shape...), tensor.WithBacking(golden(t, f, "", p)))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*G.Value{}
	r, err := newRun(m, func(name string, n *G.Node) {
		got[name] = new(G.Value)
		G.Read(n, got[name])
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.vm.Close()
	var loss float64
	for range 2 { // a second run sees what the first left behind
		loss, err = r.step(ints(t, f, "ids"), ints(t, f, "targets"))
		if err != nil {
			t.Fatal(err)
		}
	}
	near(t, "loss", []float32{float32(loss)}, values(t, f, "loss"))
	near(t, "logits", (*got["logits"]).Data().([]float32), values(t, f, "logits"))
	for _, p := range c.params() {
		near(t, p.name, (*got[p.name]).Data().([]float32), golden(t, f, "grad.", p))
	}
}

// golden reads a parameter of the file. q, k and v are the thirds of c_attn's columns.
func golden(t *testing.T, f *safetensors.File, prefix string, p param) []float32 {
	for third, part := range []string{".q.", ".k.", ".v."} {
		if before, after, ok := strings.Cut(p.name, part); ok {
			v, out, rows, cols := values(t, f, prefix+before+"."+after), []float32{}, p.shape[0], p.shape[1]
			for i := range rows {
				out = append(out, v[(3*i+third)*cols:(3*i+third+1)*cols]...)
			}
			return out
		}
	}
	return append([]float32{}, values(t, f, prefix+p.name)...)
}

func values(t *testing.T, f *safetensors.File, name string) []float32 {
	v, _ := f.Tensor(name)
	x, err := safetensors.Values[float32](v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return x
}

func ints(t *testing.T, f *safetensors.File, name string) (out []int) {
	v, _ := f.Tensor(name)
	x, err := safetensors.Values[int32](v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, id := range x {
		out = append(out, int(id))
	}
	return out
}

func near(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i] - w)); !(d <= 1e-5+1e-4*math.Abs(float64(w))) {
			t.Fatalf("%s[%d] = %g, want %g", name, i, got[i], w)
		}
	}
}
