package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/spf13/cobra"
)

// wrongGrad is y = x with a derivative that is off by the share Off.
type wrongGrad struct{ Off float64 }

func (wrongGrad) Infer(in []graph.Meta) (graph.Meta, error) { return in[0], nil }

func (w wrongGrad) VJP(g *graph.Graph, _ []*graph.Node, _, dy *graph.Node) []*graph.Node {
	return []*graph.Node{g.Scale(dy, 1+w.Off)}
}

func (wrongGrad) Eval(_ *graph.Ctx, out, in []graph.Buf) error {
	copy(out[0].Mem, in[0].Mem)
	return nil
}

// throughWrong sends a task's loss through wrongGrad.
type throughWrong struct {
	train.Task
	off float64
}

func (t throughWrong) Build(s *nn.Scope, in nn.Inputs) nn.Objective {
	o := t.Task.Build(s, in)
	o.Loss = s.Apply(wrongGrad{t.off}, o.Loss)
	return o
}

func TestGradcheckSeesWrongVJP(t *testing.T) {
	for _, c := range []struct {
		name string
		off  float64
		code int
	}{
		{"right", 0, 0},
		{"one in ten million off", 1e-7, 0},
		{"one in a hundred thousand off", 1e-5, exitFailure},
		{"sign", -2, exitFailure},
	} {
		f := &gradcheckFlags{global: &global{Device: "cpu", Threads: 1, JSON: true}, Seed: 1,
			task: func(t train.Task) train.Task { return throughWrong{t, c.off} }}
		cmd := &cobra.Command{}
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetContext(context.Background())
		err := f.run(cmd)
		if got := exitCode(err); got != c.code {
			t.Errorf("%s: exit code %d (%v), want %d", c.name, got, err, c.code)
		}
		if ok := strings.Contains(out.String(), `"ok":true`); ok != (c.code == 0) {
			t.Errorf("%s: %s", c.name, out.String())
		}
	}
}
