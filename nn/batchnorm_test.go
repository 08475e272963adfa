package nn_test

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/ceto-ml/ceto/nn"
)

// normed is what batch normalisation of rows of c numbers gives by the formulas, in float64.
type normed struct{ y, dx, dw, db, mean, variance []float64 }

// batchNormed normalises x, takes dy back through it, and tells the batch's mean and variance (divided by the rows).
func batchNormed(x, w, b, dy []float64, c int, eps float64) normed {
	n := len(x) / c
	r := normed{make([]float64, len(x)), make([]float64, len(x)), make([]float64, c), make([]float64, c), make([]float64, c), make([]float64, c)}
	for j := range c {
		for i := range n {
			r.mean[j] += x[i*c+j] / float64(n)
		}
		for i := range n {
			r.variance[j] += math.Pow(x[i*c+j]-r.mean[j], 2) / float64(n)
		}
		sd := math.Sqrt(r.variance[j] + eps)
		for i := range n {
			xhat := (x[i*c+j] - r.mean[j]) / sd
			r.y[i*c+j] = xhat*w[j] + b[j]
			r.dw[j] += dy[i*c+j] * xhat
			r.db[j] += dy[i*c+j]
		}
		for i := range n { // Ioffe and Szegedy 2015, section 3, with the sums over the rows collected
			xhat := (x[i*c+j] - r.mean[j]) / sd
			r.dx[i*c+j] = w[j] / sd * (dy[i*c+j] - r.db[j]/float64(n) - xhat*r.dw[j]/float64(n))
		}
	}
	return r
}

// draws are n numbers around 2.
func draws(name string, n int) []float64 {
	v, r := make([]float64, n), nn.NewRand(4, name)
	for i := range v {
		v[i] = float64(float32(2 + 3*r.Normal(i, 0)))
	}
	return v
}

// bufOf makes a value of dtype d.
func bufOf(d graph.DType, v []float64, shape ...int) graph.Buf {
	b := graph.NewBuf(graph.Of(d, shape...))
	for i, x := range v {
		if d == graph.Float64 {
			graph.Data[float64](b)[i] = x
		} else {
			graph.Data[float32](b)[i] = float32(x)
		}
	}
	return b
}

var batchNorms = []struct {
	name          string
	layer         nn.BatchNorm
	shape         graph.Shape
	momentum, eps float64
}{
	{"defaults", nn.BatchNorm{}, graph.Shape{5, 3}, 0.1, 1e-5},
	{"sequence", nn.BatchNorm{Momentum: 0.3, Eps: 0.5}, graph.Shape{2, 7, 3}, 0.3, 0.5},
	{"image", nn.BatchNorm{Momentum: 1}, graph.Shape{2, 3, 4, 5}, 1, 1e-5},
	{"two rows", nn.BatchNorm{NoAffine: true}, graph.Shape{2, 4}, 0.1, 1e-5},
}

// TestBatchNorm compares output, gradients and running values of two batches, and then the output in mode Eval, with
// the formulas that PyTorch documents.
func TestBatchNorm(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, r := range batchNorms {
		for _, p := range precisions {
			t.Run(r.name+p.suffix, func(t *testing.T) { testBatchNorm(t, x, r.layer, r.shape, r.momentum, r.eps, p) })
		}
	}
}

// normGraph builds the layer on x in a mode, in Train with the gradients for dy.
func normGraph(params *nn.Params, mode nn.Mode, layer nn.BatchNorm, m graph.Meta) *graph.Graph {
	s := nn.NewScope(graph.New(), params, mode)
	in := s.Input("x", m)
	y := s.Call("bn", layer, in)
	s.Output("y", y)
	if mode != nn.Train {
		return s.Graph
	}
	wrt, names := []*graph.Node{in}, []string{"dx"}
	if !layer.NoAffine {
		wrt, names = append(wrt, s.Declared()["bn.weight"], s.Declared()["bn.bias"]), append(names, "dweight", "dbias")
	}
	for i, d := range s.Grad(s.Sum(s.Mul(y, s.Input("dy", m))), wrt...) {
		s.Output(names[i], d)
	}
	return s.Graph
}

func testBatchNorm(t *testing.T, x plan.Executor, layer nn.BatchNorm, shape graph.Shape, momentum, eps float64, p precision) {
	c, params, m := shape[len(shape)-1], nn.NewParams(p.dtype), graph.Meta{DType: p.dtype, Shape: shape}
	w, b := draws("w", c), draws("b", c)
	if layer.NoAffine {
		for j := range w {
			w[j], b[j] = 1, 0
		}
	}
	var state plan.State
	train := compile(t, x, normGraph(params, nn.Train, layer, m), func(s plan.State) { state = s })
	must(t, params.Fill(1, nil, func(name string, b graph.Buf) error { return state.Write(name, graph.Dense(b)) }))
	if !layer.NoAffine {
		write(t, state, "bn.weight", bufOf(p.dtype, w, c))
		write(t, state, "bn.bias", bufOf(p.dtype, b, c))
	}
	mean, variance := make([]float64, c), make([]float64, c)
	for j := range c {
		variance[j] = 1
	}
	n, dy := float64(shape.Size()/c), draws("dy", shape.Size())
	for batch, name := range []string{"first", "second"} {
		v := draws(name, shape.Size())
		must(t, train.Run(map[string]any{"x": v, "dy": dy}, graph.Scalars{}))
		want := batchNormed(v, w, b, dy, c, eps)
		same(t, train, "y", bufOf(p.dtype, want.y, shape...), p)
		same(t, train, "dx", bufOf(p.dtype, want.dx, shape...), p)
		if !layer.NoAffine {
			same(t, train, "dweight", bufOf(p.dtype, want.dw, c), p)
			same(t, train, "dbias", bufOf(p.dtype, want.db, c), p)
		}
		for j := range c {
			mean[j] = (1-momentum)*mean[j] + momentum*want.mean[j]
			variance[j] = (1-momentum)*variance[j] + momentum*want.variance[j]*n/(n-1)
		}
		same(t, train, "bn.running_mean", bufOf(p.dtype, mean, c), p)
		same(t, train, "bn.running_var", bufOf(p.dtype, variance, c), p)
		same(t, train, "bn.num_batches_tracked", bufOf(p.dtype, []float64{float64(batch + 1)}), p)
	}
	held, err := plan.New(normGraph(params, nn.Eval, layer, m), plan.Options{})
	must(t, err)
	eval, err := x.Compile(held, state)
	must(t, err)
	v := draws("third", shape.Size())
	must(t, eval.Run(map[string]any{"x": v}, graph.Scalars{}))
	for i := range v {
		j := i % c
		v[i] = (v[i]-mean[j])/math.Sqrt(variance[j]+eps)*w[j] + b[j]
	}
	same(t, eval, "y", bufOf(p.dtype, v, shape...), p)
	same(t, eval, "bn.running_mean", bufOf(p.dtype, mean, c), p)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBufferRegister: buffers are declared once for all graphs, count apart, and are updated in mode Train alone.
func TestBufferRegister(t *testing.T) {
	params := nn.NewParams(graph.Float32)
	must(t, params.Freeze("*"))
	for _, mode := range []nn.Mode{nn.Train, nn.Eval, nn.Generate} {
		s := scope(params, mode)
		s.Call("bn", nn.BatchNorm{}, s.Input("x", graph.Of(graph.Float32, 4, 3)))
		must(t, s.Err())
		if n := len(s.Assignments()); n != map[nn.Mode]int{nn.Train: 3}[mode] {
			t.Errorf("mode %d: %d assignments", mode, n)
		}
		own := scope(nn.NewParams(graph.Float32), mode)
		own.Update(own.Buffer("r", nn.Zeros, 2), own.Input("x", graph.Of(graph.Float32, 2)))
		if n := len(own.Assignments()); own.Err() != nil || (n == 1) != (mode == nn.Train) {
			t.Errorf("mode %d: Update makes %d assignments, %v", mode, n, own.Err())
		}
		var b bytes.Buffer
		must(t, nn.Summary(&b, s))
		if want := "parameters: 6, trainable: 0, frozen: 6, bytes: 24, buffers: 7\n"; !strings.HasSuffix(b.String(), want) {
			t.Errorf("mode %d: summary\n%s\nwant at its end %s", mode, &b, want)
		}
	}
	var names []string
	for _, b := range params.Buffers() {
		names = append(names, b.Name)
		if b.Frozen || !b.Buffer || params.Get(b.Name) != b {
			t.Errorf("%+v", b)
		}
	}
	if got := strings.Join(names, " "); got != "bn.running_mean bn.running_var bn.num_batches_tracked" {
		t.Errorf("buffers %s", got)
	}
	if all, trains := params.Count(); all != 6 || trains != 0 || len(params.All()) != 2 || params.CountBuffers() != 7 {
		t.Errorf("%d parameters of %d scalars, %d train; %d scalars in buffers", len(params.All()), all, trains, params.CountBuffers())
	}
	if err := params.Adapt(nn.LoRA{Targets: []string{"*"}, Rank: 1}); err == nil {
		t.Error("Adapt after a declaration: no error")
	}
}

// TestBufferErrors: what a row builds on x (2, 6) fails with an error that says all of its words.
func TestBufferErrors(t *testing.T) {
	norm := func(b nn.BatchNorm) func(s *nn.Scope, x *graph.Node) {
		return func(s *nn.Scope, x *graph.Node) { s.Call("bn", b, x) }
	}
	for _, r := range []struct {
		name  string
		build func(s *nn.Scope, x *graph.Node)
		words []string
	}{
		{"twice", func(s *nn.Scope, _ *graph.Node) {
			s.Buffer("r", nn.Zeros, 2)
			s.Buffer("r", nn.Zeros, 2)
		}, []string{`Buffer "r"`, "declared twice"}},
		{"a parameter's name", func(s *nn.Scope, _ *graph.Node) {
			s.Param("r", nn.Zeros, 2)
			s.Buffer("r", nn.Zeros, 2)
		}, []string{`Buffer "r"`, "Param of that name"}},
		{"a buffer's name", func(s *nn.Scope, _ *graph.Node) {
			s.Buffer("r", nn.Zeros, 2)
			s.Param("r", nn.Zeros, 2)
		}, []string{`Param "r"`, "Buffer of that name"}},
		{"update of a parameter", func(s *nn.Scope, x *graph.Node) { s.Update(s.Param("w", nn.Zeros, 2, 6), x) }, []string{"Update of w float32[2 6]", "want a Buffer"}},
		{"update of nothing", func(s *nn.Scope, x *graph.Node) { s.Update(nil, x) }, []string{"Update of nil"}},
		{"update with nothing", func(s *nn.Scope, _ *graph.Node) { s.Update(s.Buffer("r", nn.Zeros, 2), nil) }, []string{"Update of r", "with nil"}},
		{"two updates", func(s *nn.Scope, x *graph.Node) {
			r := s.Buffer("r", nn.Zeros, 2, 6)
			s.Update(r, x)
			s.Update(r, x)
		}, []string{"r", "assigned already"}},
		{"another shape", func(s *nn.Scope, x *graph.Node) { s.Update(s.Buffer("r", nn.Zeros, 2), x) }, []string{"Assign to r float32[2]", "[2 6]"}},
		{"one axis", func(s *nn.Scope, x *graph.Node) { norm(nn.BatchNorm{})(s, s.Reshape(x, 12)) }, []string{"bn", "BatchNorm of", "(..., C)", "[12]"}},
		{"one row", func(s *nn.Scope, x *graph.Node) { norm(nn.BatchNorm{})(s, s.Reshape(x, 1, 12)) }, []string{"at least two rows in mode Train"}},
		{"momentum", norm(nn.BatchNorm{Momentum: 1.5}), []string{"a momentum in [0, 1], not 1.5"}},
		{"eps", norm(nn.BatchNorm{Eps: -1}), []string{"eps of at least 0, not -1"}},
	} {
		s := scope(nn.NewParams(graph.Float32), nn.Train)
		r.build(s, s.Input("x", graph.Of(graph.Float32, 2, 6)))
		for _, w := range r.words {
			if s.Err() == nil || !strings.Contains(s.Err().Error(), w) {
				t.Errorf("%s: the error does not say %q: %v", r.name, w, s.Err())
			}
		}
	}
	params := nn.NewParams(graph.Float32)
	scope(params, nn.Train).Buffer("r", nn.Zeros, 2)
	s := scope(params, nn.Train)
	if s.Buffer("r", nn.Zeros, 3); s.Err() == nil || !strings.Contains(s.Err().Error(), "float32[3] here, float32[2] in an earlier graph") {
		t.Errorf("another shape than before: %v", s.Err())
	}
}

// TestGoldenBatchNorm compares two batches in mode Train and a third one in mode Eval with PyTorch's BatchNorm1d:
// outputs, gradients and buffers.
func TestGoldenBatchNorm(t *testing.T) {
	x := plan.CPU(2)
	defer x.Close()
	for _, p := range precisions {
		f, err := safetensors.Open(filepath.Join("..", "testdata", "golden", "batch_norm"+p.suffix+".safetensors"))
		must(t, err)
		defer f.Close()
		for name, layer := range map[string]nn.BatchNorm{"defaults": {}, "sequence": {Momentum: 0.3, Eps: 0.5}, "plain": {NoAffine: true}} {
			t.Run(name+p.suffix, func(t *testing.T) { goldenBatchNorm(t, x, f, name, layer, p) })
		}
	}
}

func goldenBatchNorm(t *testing.T, x plan.Executor, f *safetensors.File, name string, layer nn.BatchNorm, p precision) {
	value := func(v string, batch int) graph.Buf { return tensorBuf(t, f, fmt.Sprintf("%s/%s.%d", name, v, batch)) }
	params, m := nn.NewParams(p.dtype), value("x", 0).Meta
	var state plan.State
	train := compile(t, x, normGraph(params, nn.Train, layer, m), func(s plan.State) { state = s })
	must(t, params.Fill(1, nil, func(name string, b graph.Buf) error { return state.Write(name, graph.Dense(b)) }))
	results := []string{"y", "dx"}
	for _, w := range params.All() {
		v := strings.TrimPrefix(w.Name, "bn.")
		write(t, state, w.Name, tensorBuf(t, f, name+"/"+v))
		results = append(results, "d"+v)
	}
	held, err := plan.New(normGraph(params, nn.Eval, layer, m), plan.Options{})
	must(t, err)
	eval, err := x.Compile(held, state)
	must(t, err)
	for batch, prog := range []plan.Program{train, train, eval} {
		in := map[string]any{"x": graph.Dense(value("x", batch))}
		if batch < 2 {
			in["dy"] = graph.Dense(value("dy", batch))
		}
		must(t, prog.Run(in, graph.Scalars{}))
		for _, v := range results {
			if batch < 2 || v == "y" {
				same(t, prog, v, value(v, batch), p)
			}
		}
		for _, v := range []string{"running_mean", "running_var"} {
			same(t, prog, "bn."+v, value(v, batch), p)
		}
		n := graph.Data[int32](value("num_batches_tracked", batch))[0]
		same(t, prog, "bn.num_batches_tracked", bufOf(p.dtype, []float64{float64(n)}), p)
	}
}
