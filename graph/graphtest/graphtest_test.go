package graphtest

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// fault is what is wrong with a broken op.
type fault uint8

const (
	sound fault = iota
	wrongSlope
	noSlope
	unwritten
	pastEnd
	spoilsOperand
	spoilsInPlace
	allocates
	coarse
	panics
	fails
	partDiffers
	byWorkers
)

// square is y = x², with a fault.
type square struct {
	Fault fault
	Parts int // 0 or 2: of a whole whose second part is y too
	Index int
}

func (o square) Infer(in []graph.Meta) (graph.Meta, error) {
	if len(in) != 1 || !in[0].DType.IsFloat() {
		return graph.Meta{}, errors.New("want one float")
	}
	return in[0], nil
}

func (o square) VJP(g *graph.Graph, x []*graph.Node, _, dy *graph.Node) []*graph.Node {
	k := 2.0
	switch o.Fault {
	case wrongSlope:
		k = 2.0001
	case noSlope:
		k = 0
	}
	return []*graph.Node{g.Scale(g.Mul(x[0], dy), k)}
}

func (o square) Overwrites(int, int) bool { return o.Fault == spoilsInPlace || o.Fault == sound }

func (o square) Whole() (graph.Op, int, int) {
	i := o.Index
	o.Index = 0
	return o, i, max(1, o.Parts)
}

func (o square) Eval(c *graph.Ctx, out, in []graph.Buf) error {
	for i, y := range out {
		if y.Empty() {
			continue
		}
		if y.DType == graph.Float64 {
			eval(o, c, graph.Data[float64](y), graph.Data[float64](in[0]))
		} else {
			eval(o, c, graph.Data[float32](y), graph.Data[float32](in[0]))
		}
		if o.Fault == partDiffers && i == 1 && !out[0].Empty() {
			y.Mem[0] ^= 1
		}
	}
	if o.Fault == fails {
		return errors.New("no luck")
	}
	return nil
}

var kept [][]byte

func eval[T graph.Float](o square, c *graph.Ctx, y, x []T) {
	n := len(x)
	switch o.Fault {
	case unwritten:
		n--
	case pastEnd:
		*(*T)(unsafe.Add(unsafe.Pointer(&y[0]), uintptr(n)*unsafe.Sizeof(y[0]))) = 0
	case spoilsOperand:
		defer func() { x[0] = 7 }()
	case allocates:
		kept = append(kept[:0], make([]byte, 64))
	case panics:
		panic("broken")
	}
	if o.Fault == spoilsInPlace {
		y[n-1] = 0
	}
	for i := range n {
		y[i] = x[i] * x[i]
	}
	var t T
	if _, single := any(t).(float32); single && o.Fault == coarse {
		y[0] += 0.001
	}
	if o.Fault == byWorkers && c.Workers() > 1 {
		y[0] *= 1 + 1e-6
	}
}

// recorder is a T that keeps what is reported.
type recorder struct{ said []string }

type stop struct{}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(stop{})
}

// run calls f until it ends or is fatal.
func (r *recorder) run(f func()) {
	defer func() {
		if e := recover(); e != nil && e != (stop{}) {
			panic(e)
		}
	}()
	f()

}

// TestFaults shows that a check finds each fault.
func TestFaults(t *testing.T) {
	if Race {
		t.Skip("ops are not watched under the race detector")
	}
	for _, c := range []struct {
		op   graph.Op
		want string
	}{
		{square{}, ""},
		{square{Parts: 2}, ""},
		{square{Fault: wrongSlope}, "relative error"},
		{square{Fault: noSlope}, "relative error"},
		{square{Fault: unwritten}, "is not written"},
		{square{Fault: pastEnd}, "bytes around it"},
		{square{Fault: spoilsOperand}, "operand 0, or what lies around it, was written"},
		{square{Fault: spoilsInPlace}, "in place of operand 0"},
		{square{Fault: allocates}, "allocates"},
		{square{Fault: coarse}, "y0[0] of [3 4]"},
		{square{Fault: panics}, "Eval panics"},
		{square{Fault: fails}, "no luck"},
		{square{Fault: byWorkers}, "workers has other bits"},
	} {
		r := &recorder{}
		r.run(func() { Check(r, c.op, S{3, 4}) })
		said := strings.Join(r.said, "\n")
		if c.want == "" && said != "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: the check says %q, want %q", graph.Describe(c.op), said, c.want)
		}
	}
	r := &recorder{}
	both := Case{Name: "both", In: floats(S{5}), BuildAll: func(g *G, x []*N) []*N {
		return []*N{g.Apply(square{partDiffers, 2, 0}, x[0]), g.Apply(square{partDiffers, 2, 1}, x[0])}
	}}
	r.run(func() { CheckCase(r, both) })
	if said := strings.Join(r.said, "\n"); !strings.Contains(said, "other bits than alone") {
		t.Errorf("parts that differ when joined: the check says %q", said)
	}
}

// TestNames holds the table to one row a name: a name is a row's seed.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.Name] || c.Name == "" {
			t.Errorf("two rows are named %q", c.Name)
		}
		seen[c.Name] = true
	}
}
