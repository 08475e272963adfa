package main

import (
	"fmt"
	"io"
	"math"

	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// reader reads values by name. A state and a program are readers.
type reader interface {
	Read(name string) (*tensor.Dense, error)
}

// readFloats reads a value of any float dtype as float32.
func readFloats(r reader, name string) ([]float32, error) {
	d, err := r.Read(name)
	if err != nil {
		return nil, err
	}
	v, err := graph.Floats[float32](d)
	return v, errors.Wrap(err, name)
}

// backprop is one network in float64 with its gradients, for the tutorials' steps.
type backprop struct {
	w     io.Writer
	state *train.State
	prog  plan.Program
	in    map[string]any
	err   error
}

// xorTutorial prints each step of backpropagation once: forward, loss, gradients and their check, descent.
func xorTutorial(w io.Writer, hidden int, seed uint64) error {
	exec := plan.CPU(1)
	defer exec.Close()
	params := nn.NewParams(graph.Float64)
	t := &backprop{w: w, state: &train.State{State: exec.NewState(), Params: params}, in: map[string]any{field.X: xorX, field.Y: xorY}}
	g := graph.New()
	s := nn.NewScope(g, params, nn.Train)
	x, y := g.Input(field.X, graph.Of(graph.Float64, 4, 2)), g.Input(field.Y, graph.Of(graph.Float64, 4))
	h := s.Call("1", nn.ReLU, s.Call("0", nn.Linear{Out: hidden}, x)) // (4, hidden)
	z := s.Call("2", nn.Linear{Out: 1}, h)                            // (4, 1)
	sum, _ := nn.BCEWithLogits{}.Loss(s, z, y)
	loss := g.Scale(sum, 1.0/4)
	var nodes []*graph.Node
	for _, p := range params.All() {
		nodes = append(nodes, s.Declared()[p.Name])
	}
	for i, dw := range g.Grad(loss, nodes...) {
		g.Output("d."+params.All()[i].Name, dw)
	}
	g.Output("hidden", h)
	g.Output("p", g.Sigmoid(z))
	g.Output(field.Loss, loss)
	p, err := plan.New(g, exec.Options())
	if err != nil {
		return err
	}
	if t.prog, err = exec.Compile(p, t.state); err != nil {
		return err
	}
	defer t.state.Close()
	defer t.prog.Close()
	if err := t.state.Init(seed); err != nil {
		return err
	}
	// With biases of 0 the row (0, 0) lies on the kink of every ReLU, where there is no derivative to compare with.
	t.move("0.bias", func(int, float64) float64 { return 0.1 })
	t.steps(hidden, seed)
	return t.err
}

func (t *backprop) steps(hidden int, seed uint64) {
	fmt.Fprintf(t.w, "The method once, for seed %d of 2-%d-1, with biases b0 of 0.1\n\n1. forward: hidden = max(0, x·W0 + b0), p = 1/(1+exp(−(hidden·W2 + b2)))\n", seed, hidden)
	before := t.loss()
	h, p := t.read(t.prog, "hidden"), t.read(t.prog, "p")
	for r := 0; r < 4 && t.err == nil; r++ {
		fmt.Fprintf(t.w, "   x = %v  hidden = %.3f  p = %.3f  target %v\n", xorX[2*r:2*r+2], h[r*hidden:(r+1)*hidden], p[r], xorY[r])
	}
	fmt.Fprintf(t.w, "\n2. loss: mean of −log p of the right answer = %.6f\n", before)
	fmt.Fprintf(t.w, "\n3. gradients by backpropagation, and by moving each weight by ±1e-5\n")
	grads := map[string][]float64{}
	for _, q := range t.state.Params.All() {
		grads[q.Name] = t.read(t.prog, "d."+q.Name)
	}
	worst := 0.0
	for _, q := range t.state.Params.All() {
		for i, a := range grads[q.Name] {
			n := t.perturb(q.Name, i, 1e-5)
			worst = math.Max(worst, math.Abs(a-n))
			fmt.Fprintf(t.w, "   %-8s %d  %+.8f  %+.8f\n", q.Name, i, a, n)
		}
	}
	fmt.Fprintf(t.w, "   largest difference %.1e\n", worst)
	const rate = 0.5
	for name, g := range grads {
		t.move(name, func(i int, v float64) float64 { return v - rate*g[i] })
	}
	fmt.Fprintf(t.w, "\n4. descent: every weight less %g times its gradient; loss %.6f → %.6f\n", rate, before, t.loss())
}

// loss runs the network and returns its loss, 0 after an error.
func (t *backprop) loss() float64 {
	if t.err == nil {
		t.err = t.prog.Run(t.in, graph.Scalars{})
	}
	if t.err != nil {
		return 0
	}
	var l float64
	l, t.err = t.prog.Scalar(field.Loss)
	return l
}

func (t *backprop) read(r reader, name string) []float64 {
	if t.err != nil {
		return nil
	}
	d, err := r.Read(name)
	if err != nil {
		t.err = err
		return nil
	}
	v, _ := d.Data().([]float64)
	return v
}

// move changes every element of a parameter.
func (t *backprop) move(name string, f func(i int, v float64) float64) {
	if t.err != nil {
		return
	}
	d, err := t.state.Read(name)
	if err != nil {
		t.err = err
		return
	}
	v, _ := d.Data().([]float64)
	for i := range v {
		v[i] = f(i, v[i])
	}
	t.err = t.state.Write(name, d)
}

// perturb is the central difference of the loss at element k of a parameter.
func (t *backprop) perturb(name string, k int, h float64) float64 {
	at := func(d float64) float64 {
		step := func(sign float64) {
			t.move(name, func(i int, v float64) float64 {
				if i == k {
					return v + sign*d
				}
				return v
			})
		}
		step(1)
		l := t.loss()
		step(-1)
		return l
	}
	return (at(h) - at(-h)) / (2 * h)
}
