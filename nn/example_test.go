package nn_test

import (
	"fmt"
	"os"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
)

// Example builds a small network, lists its layers, and computes it once with its first values.
func Example() {
	net := nn.Sequential{nn.Linear{Out: 4}, nn.LayerNorm{}, nn.Tanh, nn.Linear{Out: 1, Init: nn.Zeros}}
	params := nn.NewParams(graph.Float32)
	s := nn.NewScope(graph.New(), params, nn.Eval)
	y := net.Forward(s, s.Input("x", graph.Of(graph.Float32, 3, 2))) // (3, 2) to (3, 1)
	s.Output("y", s.AddScalar(y, 0.5))
	if err := nn.Summary(os.Stdout, s); err != nil {
		fmt.Println(err)
		return
	}
	p, err := plan.New(s.Graph, plan.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	x := plan.CPU(1)
	defer x.Close()
	state := x.NewState()
	run, err := x.Compile(p, state)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := params.Fill(1, nil, func(name string, b graph.Buf) error { return state.Write(name, graph.Dense(b)) }); err != nil {
		fmt.Println(err)
		return
	}
	if err := run.Run(map[string]any{"x": []float32{1, 2, 3, 4, 5, 6}}, graph.Scalars{}); err != nil {
		fmt.Println(err)
		return
	}
	v, err := run.Read("y")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Data())
	// Output:
	// layer  type       output  params             bytes
	// 0      Linear     [3 4]   12      trainable  48
	// 1      LayerNorm  [3 4]   8       trainable  48
	// 2      Tanh       [3 4]   0                  48
	// 3      Linear     [3 1]   5       trainable  12
	// parameters: 25, trainable: 25, frozen: 0, bytes: 100
	// [0.5 0.5 0.5]
}

// Within builds a part of a model that has two inputs of its own.
func ExampleScope_Within() {
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	age, taste := s.Input("age", graph.Of(graph.Float32, 8, 1)), s.Input("taste", graph.Of(graph.Float32, 8, 5))
	user := s.Within("user", func(s *nn.Scope) *graph.Node {
		return s.Call("out", nn.Linear{Out: 4}, s.Concat(-1, age, taste))
	})
	fmt.Println(user.Shape(), len(s.Declared()), s.Declared()["user.out.weight"].Shape(), s.Err())
	// Output: [8 4] 2 [6 4] <nil>
}
