// Command ownloop trains a network without a trainer: graph, gradients, updates, plan and steps by hand.
package main

import (
	"flag"
	"fmt"
	"log"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
)

func main() {
	device := flag.String("device", "auto", cuda.Names)
	flag.Parse()
	if err := run(*device); err != nil {
		log.Fatal(err)
	}
}

var opt = train.AdamW{LR: 0.05, Decay: 0.01}

// build declares what is computed: the model, its loss, the gradients and the updates.
func build(params *nn.Params) *graph.Graph {
	g := graph.New()
	s := nn.NewScope(g, params, nn.Train)
	hidden := s.Call("fc", nn.Linear{Out: 8}, s.Input("x", graph.Of(graph.Float32, 4, 2)))
	hidden = g.Tanh(hidden) // (4, 8)
	logits := s.Call("out", nn.Linear{Out: 1}, hidden)
	sum, weight := nn.BCEWithLogits{}.Loss(s, logits, s.Input("y", graph.Of(graph.Float32, 4)))
	loss := g.Div(sum, weight)

	var ps []*graph.Node
	for _, p := range params.All() {
		ps = append(ps, s.Shared(p.Name))
	}
	one := g.Full(graph.Of(graph.Float32), 1) // the factor of the gradient in the update: 1, since the loss is a mean
	for i, dp := range g.Grad(loss, ps...) {
		opt.Update(g, ps[i], dp, one)
		g.Output("grad."+params.All()[i].Name, dp)
	}
	g.Guard(loss) // a step whose loss is not finite changes nothing
	g.Output("loss", loss)
	g.Output("hidden", hidden) // any node can be kept
	return g
}

func run(device string) error {
	// The plan says in what order and where in memory, the executor on which device, the state with which values.
	exec, err := cuda.Open(device, 0)
	if err != nil {
		return err
	}
	defer exec.Close()
	params := nn.NewParams(graph.Float32)
	p, err := plan.New(build(params), exec.Options()) // reports the first error of all the lines above
	if err != nil {
		return err
	}
	state := &train.State{State: exec.NewState(), Params: params}
	defer state.Close()
	step, err := exec.Compile(p, state)
	if err != nil {
		return err
	}
	defer step.Close()
	if err := state.Init(1); err != nil {
		return err
	}

	// The loop.
	batch := map[string]any{"x": []float32{0, 0, 0, 1, 1, 0, 1, 1}, "y": []float32{0, 1, 1, 0}}
	for i := range 200 {
		lr := opt.LR / (1 + float64(i)/100)
		if err := step.Run(batch, graph.Scalars{Step: int64(i) + 1, LR: lr}); err != nil {
			return err
		}
		loss, err := step.Scalar("loss")
		if err != nil {
			return err
		}
		if (i+1)%50 == 0 {
			fmt.Printf("step %d, loss %.4f\n", i+1, loss)
		}
	}
	for _, name := range []string{"out.weight", "grad.out.bias", "exp_avg.out.bias", "hidden"} {
		v, err := step.Read(name)
		if err != nil {
			return err
		}
		fmt.Println(name, v.Shape(), v.Data())
	}
	_, err = step.Read("fc.output")
	fmt.Println("no such name:", err)
	return nil
}
