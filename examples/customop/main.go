// Command customop trains a small network with an op of its own: a type with three methods. Its kernels for a GPU are
// in kernel.go and snake.cu.
package main

import (
	"flag"
	"fmt"
	"log"
	"math"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
)

// Snake is an activation for periodic functions, y = x + sin²(a·x)/a, elementwise. A is an attribute of the op.
// Source: Ziyin et al. 2020, arXiv:2006.08195, equation 3.
type Snake struct{ A float64 }

// Infer returns the shape and dtype of the result, which are the operand's.
func (s Snake) Infer(in []graph.Meta) (graph.Meta, error) {
	if len(in) != 1 || !in[0].DType.IsFloat() || s.A == 0 {
		return graph.Meta{}, errors.Errorf("want one operand of floats and an A other than 0, not %v and %g", in, s.A)
	}
	return in[0], nil
}

// VJP returns the gradient of x as a node: dx = dy·(1 + sin(2a·x)).
func (s Snake) VJP(g *graph.Graph, x []*graph.Node, _, dy *graph.Node) []*graph.Node {
	return []*graph.Node{g.Apply(SnakeGrad{A: s.A}, x[0], dy)}
}

// Eval computes y = x + sin²(a·x)/a.
func (s Snake) Eval(c *graph.Ctx, out, in []graph.Buf) error {
	return graph.EvalFloat(out[0].DType, s, c, out, in, snake[float32], snake[float64])
}

func snake[T graph.Float](s Snake, _ *graph.Ctx, out, in []graph.Buf) error {
	y := graph.Data[T](out[0])
	for i, v := range graph.Data[T](in[0]) {
		sin := math.Sin(s.A * float64(v))
		y[i] = v + T(sin*sin/s.A)
	}
	return nil
}

// SnakeGrad computes the gradient of a Snake from x and dy. It has no derivative itself.
type SnakeGrad struct {
	graph.NoGrad
	A float64
}

// Infer returns the shape and dtype of the result, which are the operands'.
func (s SnakeGrad) Infer(in []graph.Meta) (graph.Meta, error) {
	if len(in) != 2 || !in[0].Equal(in[1]) || !in[0].DType.IsFloat() {
		return graph.Meta{}, errors.Errorf("want x and dy, floats of one shape, not %v", in)
	}
	return in[0], nil
}

// Eval computes dx = dy·(1 + sin(2a·x)).
func (s SnakeGrad) Eval(c *graph.Ctx, out, in []graph.Buf) error {
	return graph.EvalFloat(out[0].DType, s, c, out, in, snakeGrad[float32], snakeGrad[float64])
}

func snakeGrad[T graph.Float](s SnakeGrad, _ *graph.Ctx, out, in []graph.Buf) error {
	dx, dy := graph.Data[T](out[0]), graph.Data[T](in[1])
	for i, v := range graph.Data[T](in[0]) {
		dx[i] = dy[i] * T(1+math.Sin(2*s.A*float64(v)))
	}
	return nil
}

func main() {
	device := flag.String("device", "auto", cuda.Names)
	flag.Parse()
	if err := registerKernels(); err != nil {
		log.Fatal(err)
	}
	exec, err := cuda.Open(*device, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer exec.Close()
	var x [][]float32
	var y []float32
	for i := range 256 {
		v := float64(i)/128*math.Pi - math.Pi
		x, y = append(x, []float32{float32(v)}), append(y, float32(math.Sin(2*v)+v/2))
	}
	waves := data.Rows(x, y)
	act := nn.Func("Snake", func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Apply(Snake{A: 2}, x) })
	net := nn.Sequential{nn.Linear{Out: 16}, act, nn.Linear{Out: 1}}
	t := train.Trainer{Model: net, Loss: nn.MSE{}, Optimizer: train.Adam{LR: 0.01}, Epochs: 100, Seed: 1, Executor: exec}
	run, err := t.Fit(waves)
	if err != nil {
		log.Fatal(err)
	}
	s, err := run.Evaluate(waves)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mean squared error %.6f\n", s.Loss)
}
