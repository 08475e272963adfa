package loss_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/loss"
	"github.com/ceto-ml/ceto/graph/plan"
)

// The mean squared error of three values, with its gradient.
func Example() {
	g := graph.New()
	y, t := g.Input("y", graph.Of(graph.Float32, 3)), g.Input("t", graph.Of(graph.Float32, 3))
	mean := g.Scale(loss.MSE(g, y, t), 1.0/3)
	g.Output("mean", mean)
	g.Output("dy", g.Grad(mean, y)[0])
	p, err := plan.New(g, plan.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cpu := plan.CPU(1)
	defer cpu.Close()
	run, err := cpu.Compile(p, cpu.NewState())
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := run.Run(map[string]any{"y": []float32{1, 2, 3}, "t": []float32{1, 5, 3}}, graph.Scalars{}); err != nil {
		fmt.Println(err)
		return
	}
	l, _ := run.Scalar("mean")
	dy, _ := run.Read("dy")
	fmt.Println(l, dy.Data())
	// Output: 3 [0 -2 0]
}
