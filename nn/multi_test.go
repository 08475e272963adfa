package nn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

// TestMultiLoss compares the loss of two targets with the two means worked out by hand, all ids counted, some, or none.
func TestMultiLoss(t *testing.T) {
	x := plan.CPU(1)
	defer x.Close()
	logits, box := []float64{1, 0, 0, 2, 3, 1}, []float64{0, 1, 2, 3, 4, 5}
	target := []float64{1, 1, 1, 1, 1, 1}
	logZ := func(a, b float64) float64 { return math.Log(math.Exp(a) + math.Exp(b)) }
	rows := []float64{logZ(1, 0) - 1, logZ(0, 2) - 2, logZ(3, 1) - 3} // of classes 0, 1, 0
	l1 := 0.5 * (1. + 0 + 1 + 2 + 3 + 4) / 6
	for _, c := range []struct {
		ids   []int32
		class float64
	}{
		{[]int32{0, 1, 0}, (rows[0] + rows[1] + rows[2]) / 3},
		{[]int32{-1, 1, 0}, (rows[1] + rows[2]) / 2},
		{[]int32{-1, -1, -1}, 0},
	} {
		s := scope(nn.NewParams(graph.Float64), nn.Eval)
		in := nn.Inputs{"class": s.Input("class", graph.Of(graph.Int32, 3)), "box": s.Input("box", graph.Of(graph.Float64, 3, 2))}
		o := nn.MultiLoss{"class": nn.CrossEntropy{}, "box": nn.Weighted{Term: nn.L1{}, By: 0.5}}.Objective(s, map[string]*graph.Node{
			"class": s.Input("logits", graph.Of(graph.Float64, 3, 2)), "box": s.Input("at", graph.Of(graph.Float64, 3, 2))}, in)
		s.Output("loss", o.Loss)
		s.Output("weight", o.Weight)
		for name, y := range o.Outputs {
			s.Output(name, y)
		}
		p := compile(t, x, s.Graph, func(plan.State) {})
		must(t, p.Run(map[string]any{"class": c.ids, "box": target, "logits": logits, "at": box}, graph.Scalars{}))
		for name, want := range map[string]float64{"loss": 3 * (c.class + l1), "weight": 3, "loss.class": c.class, "loss.box": l1} {
			if got, err := p.Scalar(name); err != nil || !(math.Abs(got-want) <= 1e-12) {
				t.Errorf("%v: %s is %g, %v; want %g", c.ids, name, got, err, want)
			}
		}
		probabilities := make([]float64, len(logits))
		for i := range logits {
			probabilities[i] = math.Exp(logits[i] - logZ(logits[i/2*2], logits[i/2*2+1]))
		}
		for name, want := range map[string][]float64{"y.class": logits, "y.box": box, "predict.class": probabilities, "predict.box": box} {
			same(t, p, name, graph.BufOf(want, 3, 2), precisions[1])
		}
	}
}

func TestMultiLossErrors(t *testing.T) {
	mse, l1 := nn.MSE{}, nn.L1{}
	for _, c := range []struct {
		name string
		loss nn.MultiLoss
		want string
	}{
		{"none", nil, "nn: MultiLoss has no losses"},
		{"nil", nn.MultiLoss{"a": nil}, `the loss of "a" is nil`},
		{"no output", nn.MultiLoss{"a": mse, "other": l1}, `the model has no output "other", it has a, b, scalar, short`},
		{"a target is missing", nn.MultiLoss{"a": mse, "b": l1}, `no field "b"`},
		{"unlike examples", nn.MultiLoss{"a": mse, "short": l1}, `output "short" is float32[2 3], want (B, …) with as many examples as output "a"`},
		{"a scalar", nn.MultiLoss{"a": mse, "scalar": l1}, `output "scalar" is float32[]`},
		{"weight", nn.MultiLoss{"a": nn.Weighted{Term: mse, By: -1}}, "nn: Weighted nn.MSE by -1"},
		{"weight that is infinite", nn.MultiLoss{"a": nn.Weighted{Term: mse, By: math.Inf(1)}}, "by +Inf"},
		{"weighted nothing", nn.MultiLoss{"a": nn.Weighted{By: 1}}, "nn: Weighted <nil>"},
	} {
		s := scope(nn.NewParams(graph.Float32), nn.Train)
		a := s.Input("x", graph.Of(graph.Float32, 4, 3))
		short := s.Input("short", graph.Of(graph.Float32, 2, 3))
		o := c.loss.Objective(s, map[string]*graph.Node{"a": a, "b": a, "short": short, "scalar": s.Sum(a)}, nn.Inputs{"a": a, "short": short, "scalar": s.Sum(a)})
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), c.want) || o.Loss != nil {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
