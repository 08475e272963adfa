package plan_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// A graph becomes a plan, the plan a program, and the program runs on inputs and a state.
func Example() {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float32, 2, 3))
	w := g.State("w", graph.Of(graph.Float32, 3, 1), graph.Param)
	g.Output("y", g.ReLU(g.MatMul(x, w))) // (2, 1)

	cpu := plan.CPU(1)
	defer cpu.Close()
	p, err := plan.New(g, cpu.Options())
	if err != nil {
		fmt.Println(err)
		return
	}
	state := cpu.NewState()
	defer state.Close()
	program, err := cpu.Compile(p, state)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer program.Close()
	err = state.Fill("w", func(b graph.Buf) error {
		copy(graph.Data[float32](b), []float32{1, 2, 3})
		return nil
	})
	if err == nil {
		err = program.Run(map[string]any{"x": []float32{1, 1, 1, -1, -1, -1}}, graph.Scalars{})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	y, err := program.Read("y")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("steps: %d, operations: %d, y: %v\n", len(p.Steps), p.FLOPs(), y.Data())
	// Output: steps: 1, operations: 12, y: [6 0]
}
