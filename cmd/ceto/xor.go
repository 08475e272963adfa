package main

import (
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/spf13/cobra"
)

// xorX and xorY are the four rows of exclusive or.
var (
	xorX = []float32{0, 0, 0, 1, 1, 0, 1, 1}
	xorY = []float32{0, 1, 1, 0}
)

// xorFields are the arrays of one batch.
var xorFields = []data.Field{{Name: field.X, Shape: []int{2}}, {Name: field.Y}}

// xorFlags are the flags of ceto demo xor.
type xorFlags struct {
	*global
	Seeds  int     `flag:"seeds" usage:"networks to train" range:"[1,1000000]" default:"100"`
	Hidden int     `flag:"hidden" usage:"hidden units" range:"[1,65536]" default:"16"`
	LR     float64 `flag:"lr" usage:"learning rate" range:"(0,1000]" default:"0.01"`
	Epochs int     `flag:"epochs" usage:"steps, each on all four rows" range:"[1,inf)" default:"2000"`
	First  uint64  `flag:"seed" usage:"the first seed" default:"1"`
}

func xorCmd(g *global) *cobra.Command {
	f := &xorFlags{global: g}
	c := &cobra.Command{
		Use:   "xor",
		Short: "The tutorials' backpropagation network, over many seeds",
		Long: `Train the tutorials' network on exclusive or, 2-hidden-1: ReLU, then a sigmoid under the binary cross-entropy, Glorot
uniform, Adam, all four rows a step. It prints how many seeds solve it and why the others do not. For one seed it shows
each step of the method: forward, loss, gradients against small perturbations, one step of descent.`,
		Example: `  ceto demo xor --seeds 200
  ceto demo xor --seeds 200 --hidden 4 --lr 0.001 --epochs 2000   # the tutorials' settings`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.OutOrStdout()) },
	}
	setting.Flags(c.Flags(), f)
	return c
}

// xorOutcome is how one network ended.
type xorOutcome struct {
	solved bool
	dead   int // hidden units that are 0 for all four inputs
}

// xorResult is the JSON of ceto demo xor.
type xorResult struct {
	Seeds        int     `json:"seeds"`
	Solved       int     `json:"solved"` // all four probabilities on the right side of one half
	Hidden       int     `json:"hidden"`
	LR           float64 `json:"lr"`
	Epochs       int     `json:"epochs"`
	DeadFailures int     `json:"dead_unit_failures"` // failures with a dead unit
	DeadSolved   int     `json:"dead_unit_solved"`   // successes with a dead unit
	DeadUnits    int     `json:"dead_units"`         // in all networks
	// ByLive has the networks by their number of live units, 0 to hidden: how many, and how many of them solved it.
	ByLive [][2]int `json:"by_live_units"`
}

func (f *xorFlags) run(w io.Writer) error {
	if f.Seeds < 1 || f.Hidden < 1 || f.Epochs < 1 || !(f.LR > 0) || math.IsInf(f.LR, 0) {
		return usagef("demo xor: --seeds, --hidden and --epochs must be at least 1 and --lr above 0")
	}
	if !f.JSON {
		if err := xorTutorial(w, min(f.Hidden, 4), f.First); err != nil {
			return err
		}
	}
	all, err := f.all()
	if err != nil {
		return err
	}
	r := xorResult{Seeds: f.Seeds, Hidden: f.Hidden, LR: f.LR, Epochs: f.Epochs, ByLive: make([][2]int, f.Hidden+1)}
	for _, o := range all {
		r.DeadUnits += o.dead
		r.ByLive[f.Hidden-o.dead][0]++
		if o.solved {
			r.ByLive[f.Hidden-o.dead][1]++
		}
		switch {
		case o.solved && o.dead > 0:
			r.DeadSolved++
			fallthrough
		case o.solved:
			r.Solved++
		case o.dead > 0:
			r.DeadFailures++
		}
	}
	if f.JSON {
		return printJSON(w, r)
	}
	return r.print(w)
}

func (r xorResult) print(w io.Writer) error {
	failed := r.Seeds - r.Solved
	fmt.Fprintf(w, "\nOver %d seeds: 2-%d-1, Adam %g, %d epochs\n", r.Seeds, r.Hidden, r.LR, r.Epochs)
	fmt.Fprintf(w, "  %d solved, %d not: %.1f %%\n", r.Solved, failed, 100*float64(r.Solved)/float64(r.Seeds))
	fmt.Fprintf(w, "  cause: dead units, which are 0 for all four inputs, so that their gradient is 0 and they stay so: %d of %d\n", r.DeadUnits, r.Seeds*r.Hidden)
	fmt.Fprintf(w, "  of the failures %d of %d have one, of the successes %d of %d\n", r.DeadFailures, failed, r.DeadSolved, r.Solved)
	for live, n := range r.ByLive {
		if n[0] > 0 {
			fmt.Fprintf(w, "  %3d live units: %4d networks, %5.1f %% solved\n", live, n[0], 100*float64(n[1])/float64(n[0]))
		}
	}
	if 10*failed <= r.Seeds {
		return nil
	}
	_, err := fmt.Fprintf(w, "  more hidden units leave enough live ones: ceto demo xor --seeds %d --hidden 16 --lr 0.01\n", r.Seeds)
	return err
}

// all trains every network. It runs one goroutine for each thread.
func (f *xorFlags) all() ([]xorOutcome, error) {
	exec, err := f.executor()
	if err != nil {
		return nil, err
	}
	defer exec.Close()
	threads := exec.Device().Workers
	out := make([]xorOutcome, f.Seeds)
	errs := make([]error, min(threads, f.Seeds))
	var next atomic.Int64
	var wg sync.WaitGroup
	for t := range errs {
		wg.Go(func() {
			n, err := newXorNet(f.Hidden)
			if err != nil {
				errs[t] = err
				return
			}
			defer n.close()
			for i := next.Add(1) - 1; int(i) < f.Seeds && errs[t] == nil; i = next.Add(1) - 1 {
				out[i], errs[t] = n.train(f.First+uint64(i), f.LR, f.Epochs)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// xorTask is the tutorials' network.
func xorTask(hidden int) train.Supervised {
	return train.Supervised{Model: nn.Sequential{nn.Linear{Out: hidden}, nn.ReLU, nn.Linear{Out: 1}}, Loss: nn.BCEWithLogits{}}
}

// xorNet is a compiled training step and forward pass. They serve one seed after the other.
type xorNet struct {
	exec          plan.Executor
	state         *train.State
	step, forward plan.Program
	in            map[string]any
}

func newXorNet(hidden int) (*xorNet, error) {
	params := nn.NewParams(graph.Float32)
	n := &xorNet{exec: plan.CPU(1), in: map[string]any{field.X: xorX, field.Y: xorY}}
	n.state = &train.State{State: n.exec.NewState(), Params: params}
	b := train.Builder{Task: xorTask(hidden), Params: params, Optimizer: train.Adam{}}
	var err error
	if n.step, err = n.compile(b.Step(xorFields, len(xorY))); err == nil {
		n.forward, err = n.compile(b.Forward(nn.Eval, xorFields, len(xorY)))
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// close frees the programs, the state and the executor.
func (n *xorNet) close() {
	for _, p := range []plan.Program{n.step, n.forward} {
		if p != nil {
			p.Close()
		}
	}
	n.state.Close()
	n.exec.Close()
}

func (n *xorNet) compile(g *graph.Graph, err error) (plan.Program, error) {
	if err != nil {
		return nil, err
	}
	p, err := plan.New(g, n.exec.Options())
	if err != nil {
		return nil, err
	}
	return n.exec.Compile(p, n.state)
}

func (n *xorNet) train(seed uint64, lr float64, epochs int) (xorOutcome, error) {
	if err := n.state.Init(seed); err != nil {
		return xorOutcome{}, err
	}
	for i := range epochs {
		if err := n.step.Run(n.in, graph.Scalars{Step: int64(i) + 1, LR: lr, Seed: seed}); err != nil {
			return xorOutcome{}, err
		}
	}
	if err := n.forward.Run(n.in, graph.Scalars{}); err != nil {
		return xorOutcome{}, err
	}
	p, err := readFloats(n.forward, field.Predict)
	if err != nil {
		return xorOutcome{}, err
	}
	o := xorOutcome{solved: true}
	for i, y := range xorY {
		o.solved = o.solved && (p[i] > 0.5) == (y > 0.5)
	}
	o.dead, err = n.deadUnits()
	return o, err
}

// deadUnits counts the hidden units whose ReLU gives 0 for all four inputs.
func (n *xorNet) deadUnits() (int, error) {
	w, err := readFloats(n.state, "0.weight") // (2, hidden)
	if err != nil {
		return 0, err
	}
	b, err := readFloats(n.state, "0.bias")
	if err != nil {
		return 0, err
	}
	dead := 0
	for j := range b {
		live := false
		for r := range xorY {
			live = live || xorX[2*r]*w[j]+xorX[2*r+1]*w[len(b)+j]+b[j] > 0
		}
		if !live {
			dead++
		}
	}
	return dead, nil
}
