package models_test

import (
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/models"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/google/go-cmp/cmp"
)

// blobs are n points around each of three centres, and the number of their centre.
func blobs(n int) (x [][]float32, y []int) {
	r := nn.NewRand(3, "blobs")
	for i := range 3 * n {
		a := 2 * math.Pi * float64(i%3) / 3
		x = append(x, []float32{float32(2*math.Cos(a) + 0.4*r.Normal(2*i, 0)), float32(2*math.Sin(a) + 0.4*r.Normal(2*i+1, 0))})
		y = append(y, i%3)
	}
	return x, y
}

func TestClassifier(t *testing.T) {
	all, held := data.Rows(blobs(60)).Split(0.25, 1)
	tr := train.Trainer{Model: models.MLP{Hidden: []int{16, 16}, Out: 3, Dropout: 0.1}, Loss: nn.CrossEntropy{},
		Optimizer: train.AdamW{LR: 0.01, Decay: 0.01}, Epochs: 60, Seed: 1}
	run, err := tr.Fit(all)
	if err != nil {
		t.Fatal(err)
	}
	s, err := run.Evaluate(held, metric.Accuracy)
	if err != nil || s.Metrics["accuracy"] < 0.97 {
		t.Errorf("held-out accuracy %v, %v, want at least 0.97", s, err)
	}
	p, err := run.Predict([][]float32{{2, 0}})
	if err != nil || p[0][0] < 0.9 || math.Abs(float64(p[0][0]+p[0][1]+p[0][2])-1) > 1e-5 {
		t.Errorf("probabilities at the first centre: %v, %v", p, err)
	}
}

func TestRegressor(t *testing.T) {
	var x [][]float32
	var y []float32
	for i := range 128 {
		v := float64(i)/64 - 1
		x, y = append(x, []float32{float32(v)}), append(y, float32(math.Sin(3*v)))
	}
	d := data.Rows(x, y)
	tr := train.Trainer{Model: models.MLP{Hidden: []int{32}, Out: 1, Act: nn.Tanh}, Loss: nn.MSE{}, Optimizer: train.Adam{LR: 0.01}, Epochs: 800, Seed: 1}
	run, err := tr.Fit(d)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := run.Evaluate(d, metric.MSE); err != nil || s.Loss > 1e-3 || math.Abs(s.Loss-s.Metrics["mse"]) > 1e-6 {
		t.Errorf("mean squared error %v, %v, want at most 1e-3", s, err)
	}
}

// TestXOR is the tutorials' network in its literal form, 2-4-1 with tanh in place of ReLU, which has no dead units.
func TestXOR(t *testing.T) {
	x, y := [][]float32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, []float32{0, 1, 1, 0}
	for seed := range uint64(5) {
		tr := train.Trainer{Model: models.MLP{Hidden: []int{4}, Out: 1, Act: nn.Tanh}, Loss: nn.BCEWithLogits{}, Optimizer: train.Adam{LR: 0.02}, Epochs: 1500, Seed: seed}
		run, err := tr.Fit(data.Rows(x, y))
		if err != nil {
			t.Fatal(err)
		}
		p, err := run.Predict(x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range y {
			if math.Abs(float64(p[i][0]-y[i])) > 0.1 {
				t.Errorf("seed %d: XOR of %v is %.3f, want %g", seed, x[i], p[i][0], y[i])
			}
		}
	}
}

// TestByHand compares one step of a 2-2-1 network with the tutorials' formulas worked out in plain Go.
func TestByHand(t *testing.T) {
	x, y := [2]float64{0.5, -1}, 0.25
	tr := train.Trainer{Model: models.MLP{Hidden: []int{2}, Out: 1, Act: nn.Sigmoid}, Loss: nn.MSE{Half: true},
		Optimizer: train.SGD{LR: 0.5}, Steps: 1, Seed: 7, DType: graph.Float64}
	d := data.Rows([][]float32{{0.5, -1}}, []float32{0.25})
	fresh, err := tr.New(d)
	if err != nil {
		t.Fatal(err)
	}
	run, err := tr.Fit(d)
	if err != nil {
		t.Fatal(err)
	}
	get := func(r *train.Run, name string) []float64 {
		v, err := r.State.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		return v.Data().([]float64)
	}
	w0, b0, w1, b1 := get(fresh, "layers.0.weight"), get(fresh, "layers.0.bias"), get(fresh, "layers.1.weight"), get(fresh, "layers.1.bias")
	var h, delta [2]float64
	out := b1[0]
	for j := range h {
		h[j] = 1 / (1 + math.Exp(-(x[0]*w0[j] + x[1]*w0[2+j] + b0[j])))
		out += h[j] * w1[j]
	}
	e := out - y // ∂(½e²)/∂out
	for j := range h {
		delta[j] = e * w1[j] * h[j] * (1 - h[j])
	}
	for name, want := range map[string][]float64{
		"layers.0.weight": {w0[0] - 0.5*x[0]*delta[0], w0[1] - 0.5*x[0]*delta[1], w0[2] - 0.5*x[1]*delta[0], w0[3] - 0.5*x[1]*delta[1]},
		"layers.0.bias":   {b0[0] - 0.5*delta[0], b0[1] - 0.5*delta[1]},
		"layers.1.weight": {w1[0] - 0.5*e*h[0], w1[1] - 0.5*e*h[1]},
		"layers.1.bias":   {b1[0] - 0.5*e},
	} {
		for i, v := range get(run, name) {
			if math.Abs(v-want[i]) > 1e-12 {
				t.Errorf("%s[%d] = %.15g, want %.15g", name, i, v, want[i])
			}
		}
	}
	if got := run.History[0].Loss; math.Abs(got-e*e/2) > 1e-12 {
		t.Errorf("loss %g, want %g", got, e*e/2)
	}
}

func TestParams(t *testing.T) {
	params := nn.NewParams(graph.Float32)
	s := nn.NewScope(graph.New(), params, nn.Train)
	y := models.MLP{Hidden: []int{8, 5}, Out: 3}.Forward(s, s.Input("x", graph.Of(graph.Float32, 2, 4, 3)))
	if s.Err() != nil || !y.Shape().Equal(graph.Shape{2, 3}) {
		t.Fatalf("%v, %v", y, s.Err())
	}
	var got []string
	for _, p := range params.All() {
		got = append(got, p.Name+" "+p.Meta.String())
	}
	want := []string{"layers.0.weight float32[12 8]", "layers.0.bias float32[8]", "layers.1.weight float32[8 5]",
		"layers.1.bias float32[5]", "layers.2.weight float32[5 3]", "layers.2.bias float32[3]"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("parameters (want, got):\n%s", d)
	}
}

func TestBad(t *testing.T) {
	for _, c := range []struct {
		m    models.MLP
		want string
	}{
		{models.MLP{Hidden: []int{4}}, "Out of at least 1, not 0"},
		{models.MLP{Hidden: []int{4, 0}, Out: 1}, "hidden layer 1 is 0 wide"},
		{models.MLP{Hidden: []int{4}, Out: 1, Dropout: 1}, "drop.0"},
	} {
		s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
		c.m.Forward(s, s.Input("x", graph.Of(graph.Float32, 2, 2)))
		if s.Err() == nil || !strings.Contains(s.Err().Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.m, s.Err(), c.want)
		}
	}
}
