package graph_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"gorgonia.org/tensor"
)

// TestElements holds the moving of elements, for each pair of dtypes and past the size of one piece, to Go's own
// conversions.
func TestElements(t *testing.T) {
	f64 := make([]float64, 1300)
	for i := range f64 {
		f64[i] = float64(i%700-350) / 3
	}
	for _, from := range []graph.DType{graph.Float32, graph.Float64, graph.Int32} {
		x := graph.NewBuf(graph.Of(from, len(f64)))
		x.Convert(graph.BufOf(f64, len(f64)))
		for _, to := range []graph.DType{graph.Float32, graph.Float64, graph.Int32} {
			y := graph.NewBuf(graph.Of(to, len(f64)))
			y.Convert(x)
			for i, v := range f64 {
				if want := rounded(to, rounded(from, v)); y.At(i) != want {
					t.Fatalf("%v of %v of %g is %g, want %g", to, from, v, y.At(i), want)
				}
			}
			y.Set(7, 2.75)
			if want := rounded(to, 2.75); y.At(7) != want {
				t.Errorf("%v: At gives %g after Set(2.75), want %g", to, y.At(7), want)
			}
			if y.Fill(1.5); y.At(0) != rounded(to, 1.5) || y.At(1299) != rounded(to, 1.5) {
				t.Errorf("%v: Fill(1.5) gives %g and %g", to, y.At(0), y.At(1299))
			}
		}
	}
}

func rounded(d graph.DType, v float64) float64 {
	switch d {
	case graph.Float32:
		return float64(float32(v))
	case graph.Int32:
		return float64(int32(v))
	}
	return v
}

// TestFloats holds what a tensor's elements are read as: its own memory where the type is the same, else a rounded
// copy.
func TestFloats(t *testing.T) {
	f64 := graph.BufOf([]float64{1, 1. / 3, -2}, 3)
	v, err := graph.Floats[float64](graph.Dense(f64))
	if err != nil || &v[0] != &graph.Data[float64](f64)[0] {
		t.Errorf("a float64 tensor as float64 is %v in other memory, %v", v, err)
	}
	r, err := graph.Floats[float32](graph.Dense(f64))
	if err != nil || fmt.Sprint(r) != fmt.Sprint([]float32{1, 1. / 3, -2}) {
		t.Errorf("a float64 tensor as float32 is %v, %v", r, err)
	}
	one, err := graph.Floats[float64](tensor.New(tensor.FromScalar(float32(2.5))))
	if err != nil || len(one) != 1 || one[0] != 2.5 {
		t.Errorf("a scalar is %v, %v", one, err)
	}
	if _, err := graph.Floats[float32](graph.Dense(graph.BufOf([]int32{1}, 1))); err == nil || !strings.Contains(err.Error(), "a tensor int32 (1): want floats") {
		t.Errorf("ids: %v, want a refusal", err)
	}
}

// TestNoSuchDType holds that a dtype that there is not is refused, and not taken for float32.
func TestNoSuchDType(t *testing.T) {
	d := graph.DType(9)
	if d.Size() != 0 || d.IsFloat() || d.String() != "dtype(9)" {
		t.Errorf("%v: size %d, float %v; want dtype(9), 0, false", d, d.Size(), d.IsFloat())
	}
	g := graph.New()
	g.Input("x", graph.Of(d, 2))
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "dtype(9): there is no such dtype") {
		t.Errorf("Input of %v: %v", d, err)
	}
	body := func(int, *graph.Ctx, []graph.Buf, []graph.Buf) error { return nil }
	for _, d := range []graph.DType{graph.Int32, d} {
		if err := graph.EvalFloat(d, 0, nil, nil, nil, body, body); err == nil || !strings.Contains(err.Error(), d.String()+": want a float") {
			t.Errorf("EvalFloat of %v: %v, want a refusal", d, err)
		}
	}
	if err := graph.EvalElem(graph.Int32, 0, nil, nil, nil, body, body, body); err != nil {
		t.Error(err)
	}
}

// TestFill64 holds NaN and the infinities, which no conversion may lose.
func TestFill64(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		b := graph.NewBuf(graph.Of(graph.Float32, 3))
		b.Fill(v)
		if got := b.At(2); got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
			t.Errorf("Fill(%g) gives %g", v, got)
		}
	}
}

// byHand is a choice by dtype: a case for one of them, or a comparison with it.
var byHand = regexp.MustCompile(`(case|[!=]=) (graph\.)?(Float32|Float64)\b`)

// TestOneDispatcher holds that dtype.go alone tells the float dtypes apart, so that a new one is a change of that file.
func TestOneDispatcher(t *testing.T) {
	for _, pattern := range []string{"*.go", "*/*.go", "../nn/*.go", "../internal/weights/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, f := range files {
			if f == "dtype.go" || strings.HasSuffix(f, "_test.go") || filepath.Dir(f) == "plan" {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(src), "\n") {
				if byHand.MatchString(line) {
					t.Errorf("%s:%d: %s; use EvalFloat or EvalElem", f, i+1, strings.TrimSpace(line))
				}
			}
		}
	}
}
