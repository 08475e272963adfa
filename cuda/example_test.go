package cuda_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// Example plans a product for a GPU that is not there, and counts what the GPU would be asked for.
func Example() {
	x := cuda.Planner()
	g := graph.New()
	a, b := g.Input("a", graph.Of(graph.Float32, 16, 16)), g.Input("b", graph.Of(graph.Float32, 16, 4))
	g.Output("y", g.MatMul(a, b))
	p, err := plan.New(g, x.Options())
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := cuda.Launches(x, p)
	fmt.Println(n.ByKernel["cublasLt"], n.FLOPs, err)
	// Output: 1 2048 <nil>
}
