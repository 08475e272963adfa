package nn_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

// TestManyClassWeights has more weights than an op has operands, some of them in runs. At equal logits a row of class c
// has the loss w[c]·ln V. Its weight is w[c], or 1 where the mean is over rows.
func TestManyClassWeights(t *testing.T) {
	const classes = 400
	x := plan.CPU(1)
	defer x.Close()
	w := make([]float64, classes)
	for i := range w {
		w[i] = float64(1+i) / 64
		if i%10 > 6 {
			w[i] = 2
		}
	}
	for _, c := range []int32{0, 6, 7, 9, 10, 255, 256, classes - 2, classes - 1} {
		g := graph.New()
		s := nn.NewScope(g, nn.NewParams(graph.Float64), nn.Train)
		y, target := s.Full(graph.Of(graph.Float64, 1, classes), 0), s.Input("t", graph.Of(graph.Int32, 1))
		sum, weight := nn.CrossEntropy{Weights: w}.Loss(s, y, target)
		_, rows := nn.CrossEntropy{Weights: w, PerRow: true}.Loss(s, y, target)
		s.Output("sum", sum)
		s.Output("weight", weight)
		s.Output("rows", rows)
		p := compile(t, x, g, func(plan.State) {})
		if err := p.Run(map[string]any{"t": []int32{c}}, graph.Scalars{}); err != nil {
			t.Fatal(err)
		}
		loss, err := p.Scalar("sum")
		if err != nil {
			t.Fatal(err)
		}
		count, err := p.Scalar("weight")
		if want := w[c] * math.Log(classes); err != nil || math.Abs(loss-want) > 1e-12*want || count != w[c] {
			t.Errorf("class %d: loss %g of weight %g, %v; want %g of %g", c, loss, count, err, want, w[c])
		}
		if n, err := p.Scalar("rows"); err != nil || n != 1 {
			t.Errorf("class %d: %g rows, %v; want 1", c, n, err)
		}
	}
}

// TestIgnore: at equal logits a row that counts has a loss of ln V and a weight of 1.
func TestIgnore(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	for _, c := range []struct {
		loss nn.CrossEntropy
		ids  []int32
		rows float64 // that count
		bad  string  // the error of a run
	}{
		{nn.CrossEntropy{}, []int32{0, -1, 2, -1}, 2, ""},
		{nn.CrossEntropy{Ignore: -1}, []int32{0, -1, 2, -1}, 2, ""},
		{nn.CrossEntropy{Ignore: -100}, []int32{0, -100, 2, 1}, 3, ""},
		{nn.CrossEntropy{Ignore: 2}, []int32{0, 1, 2, 2}, 2, ""},
		{nn.CrossEntropy{IgnoreZero: true}, []int32{0, 1, 2, 0}, 2, ""},
		{nn.CrossEntropy{Ignore: -100}, []int32{0, -1, 2, 1}, 0, "target -1"},
		{nn.CrossEntropy{IgnoreZero: true}, []int32{0, -1, 2, 1}, 0, "target -1"},
	} {
		s := scope(nn.NewParams(graph.Float64), nn.Train)
		sum, weight := c.loss.Loss(s, s.Full(graph.Of(graph.Float64, 4, 3), 0), s.Input("t", graph.Of(graph.Int32, 4)))
		s.Output("sum", sum)
		s.Output("weight", weight)
		p := compile(t, x, s.Graph, func(plan.State) {})
		err := p.Run(map[string]any{"t": c.ids}, graph.Scalars{})
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%+v of %v: %v, want %q", c.loss, c.ids, err, c.bad)
			}
			continue
		}
		must(t, err)
		loss, err := p.Scalar("sum")
		must(t, err)
		n, err := p.Scalar("weight")
		if must(t, err); n != c.rows || math.Abs(loss-n*math.Log(3)) > 1e-12 {
			t.Errorf("%+v of %v: loss %g of %g rows, want %g rows", c.loss, c.ids, loss, n, c.rows)
		}
	}
}

func TestBalance(t *testing.T) {
	for _, c := range []struct {
		rows []int
		want []float64
	}{
		{nil, nil}, {[]int{0, 0}, []float64{0, 0}}, {[]int{5, 5}, []float64{1, 1}},
		{[]int{90, 10}, []float64{100. / 180, 5}}, {[]int{2, 0, 6}, []float64{2, 0, 8. / 12}},
	} {
		if got := nn.Balance(c.rows); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.rows, got, c.want)
		}
	}
}

func TestLossErrors(t *testing.T) {
	for _, c := range []struct {
		loss nn.Loss
		want string
	}{
		{nn.CrossEntropy{Weights: []float64{1, 2}}, "class weights float32[2], want (3)"},
		{nn.CrossEntropy{Weights: []float64{1, -2, 1}}, "nn: CrossEntropy: weight 1 is -2: want 0 or more"},
		{nn.CrossEntropy{Weights: []float64{math.NaN(), 1, 1}}, "weight 0 is NaN"},
		{nn.CrossEntropy{Weights: []float64{1, 1, math.Inf(1)}}, "weight 2 is +Inf"},
		{nn.CrossEntropy{IgnoreZero: true, Ignore: 5}, "nn: CrossEntropy ignores id 0 and id 5: want one of them"},
		{nn.BCEWithLogits{PosWeight: []float64{1, 2}}, "2 positive weights for logits float32[4 3]: want 1, or one for each column"},
		{nn.BCEWithLogits{PosWeight: []float64{-1}}, "nn: BCEWithLogits: weight 0 is -1"},
	} {
		s := scope(nn.NewParams(graph.Float32), nn.Train)
		target := s.Input("t", graph.Of(graph.Int32, 4))
		if _, ok := c.loss.(nn.BCEWithLogits); ok {
			target = s.Input("of", graph.Of(graph.Float32, 4, 3))
		}
		c.loss.Loss(s, s.Input("x", graph.Of(graph.Float32, 4, 3)), target)
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.loss, err, c.want)
		}
	}
}
