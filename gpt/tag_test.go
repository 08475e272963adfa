package gpt_test

import (
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/goldentest"
	"github.com/ceto-ml/ceto/nn"
)

var tagged = gpt.Tag{Model: gpt.Llama{Vocab: 20, Context: 6, Layers: 1, Width: 8, MLPWidth: 12, Heads: 2}, Classes: 3}

// runTag evaluates the task on two rows of four ids.
func runTag(t *testing.T, task gpt.Tag, ids, y []int32) (loss, weight float64, predict []float32) {
	t.Helper()
	x := plan.CPU(1)
	defer x.Close()
	g, params := graph.New(), nn.NewParams(graph.Float32)
	s, feed := nn.NewScope(g, params, nn.Eval), map[string]any{"ids": ids}
	in := nn.Inputs{"ids": s.Input("ids", graph.Of(graph.Int32, 2, 4))}
	if y != nil {
		in["y"], feed["y"] = s.Input("y", graph.Of(graph.Int32, 2, 4)), y
	}
	o := task.Build(s, in)
	s.Output("predict", o.Outputs["predict"])
	if (o.Loss != nil) != (y != nil) {
		t.Fatalf("targets %v, loss %v", y, o.Loss)
	}
	if y != nil {
		s.Output("loss", o.Loss)
		s.Output("weight", o.Weight)
	}
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	state := x.NewState()
	prog, err := x.Compile(p, state)
	if err != nil {
		t.Fatal(err)
	}
	if err := params.Fill(1, nil, func(name string, b graph.Buf) error { return state.Write(name, graph.Dense(b)) }); err != nil {
		t.Fatal(err)
	}
	if err := prog.Run(feed, graph.Scalars{}); err != nil {
		t.Fatal(err)
	}
	if y != nil {
		loss, weight = scalar(t, prog, "loss"), scalar(t, prog, "weight")
	}
	return loss, weight, read(t, prog, "predict")
}

func scalar(t *testing.T, prog plan.Program, name string) float64 {
	t.Helper()
	v, err := prog.Scalar(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTag: the loss is that of the tokens that count, by the predicted probabilities. Neither the loss nor the
// probabilities of earlier tokens depend on the padding.
func TestTag(t *testing.T) {
	y := []int32{-1, 2, 0, -1, 1, -1, -1, -1}
	loss, weight, p := runTag(t, tagged, []int32{3, 5, 7, 0, 9, 4, 0, 0}, y)
	want := 0.0
	for i, class := range y {
		if class >= 0 {
			want -= math.Log(float64(p[3*i+int(class)]))
		}
		if sum := p[3*i] + p[3*i+1] + p[3*i+2]; math.Abs(float64(sum)-1) > 1e-5 {
			t.Errorf("the probabilities of token %d have sum %g", i, sum)
		}
	}
	if weight != 3 || math.Abs(loss-want) > 1e-5 || want < 1 {
		t.Errorf("loss %g over %g tokens, want %g over 3", loss, weight, want)
	}
	other, _, q := runTag(t, tagged, []int32{3, 5, 7, 19, 9, 4, 18, 2}, y)
	goldentest.Near(t, "row 0 with other padding", q[:9], p[:9], 0)
	goldentest.Near(t, "row 1 with other padding", q[12:18], p[12:18], 0)
	if other != loss {
		t.Errorf("loss %g with other padding, %g without", other, loss)
	}
	_, _, none := runTag(t, tagged, []int32{3, 5, 7, 0, 9, 4, 0, 0}, nil)
	goldentest.Near(t, "without targets", none, p, 0)
}

// TestTagDropout: hidden states are dropped in training alone, and an impossible probability is an error.
func TestTagDropout(t *testing.T) {
	for _, c := range []struct {
		mode    nn.Mode
		p       float64
		dropped bool
		err     string
	}{{nn.Train, 0.5, true, ""}, {nn.Train, 0, false, ""}, {nn.Eval, 0.5, false, ""}, {nn.Train, -1, false, "Dropout"}} {
		g, task := graph.New(), tagged
		task.Dropout = c.p
		s := nn.NewScope(g, nn.NewParams(graph.Float32), c.mode)
		y := task.Build(s, nn.Inputs{"ids": s.Input("ids", graph.Of(graph.Int32, 2, 4))}).Outputs["y"]
		if err := g.Err(); c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("probability %g: %v, want an error with %s", c.p, err, c.err)
			}
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		s.Output("y", y)
		p, err := plan.New(g, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(p.String(), "Dropout"); got != c.dropped {
			t.Errorf("mode %v, probability %g: dropped %v", c.mode, c.p, got)
		}
	}
}

// TestTagRefuses: what is missing is an error of the graph that names it.
func TestTagRefuses(t *testing.T) {
	for _, c := range []struct {
		task  gpt.Tag
		field string
		want  string
	}{
		{tagged, "x", "model gpt.Llama, 3 classes, ids nil: want a model, at least one class, and the field ids"},
		{gpt.Tag{Model: tagged.Model}, "ids", "0 classes"},
		{gpt.Tag{Classes: 2}, "ids", "model <nil>"},
	} {
		g := graph.New()
		s := nn.NewScope(g, nn.NewParams(graph.Float32), nn.Train)
		c.task.Build(s, nn.Inputs{c.field: s.Input(c.field, graph.Of(graph.Int32, 2, 4))})
		if err := g.Err(); err == nil || !strings.HasPrefix(err.Error(), "gpt: Tag: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.field, err, c.want)
		}
	}
}
