package graph_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// One step of gradient descent on y = x·w, with the mean of y as the loss.
func Example() {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float32, 4, 2))
	w := g.State("w", graph.Of(graph.Float32, 2, 1), graph.Param)
	loss := g.Mean(g.MatMul(x, w))
	dw := g.Grad(loss, w)[0]
	g.Assign(w, g.Sub(w, g.Scale(dw, 0.5)))
	g.Output("loss", loss)
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cpu := plan.CPU(1)
	defer cpu.Close()
	state := cpu.NewState()
	run, err := cpu.Compile(p, state)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		if err := run.Run(map[string]any{"x": []float32{1, 2, 3, 4, 5, 6, 7, 8}}, graph.Scalars{}); err != nil {
			fmt.Println(err)
			return
		}
		l, _ := run.Scalar("loss")
		v, _ := state.Read("w")
		fmt.Println(l, v.Data())
	}
	// Output:
	// 0 [-2 -2.5]
	// -20.5 [-4 -5]
}
