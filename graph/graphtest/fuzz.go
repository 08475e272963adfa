package graphtest

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Sample is an op with the metas of operands that it takes.
type Sample struct {
	Name string
	Op   graph.Op
	In   []graph.Meta
}

// Samples are the ops of all rows, derivatives included, each once for the dtypes and ranks of its operands; foreign
// ops are not among them.
var Samples = sync.OnceValue(func() []Sample {
	var all []Sample
	seen := map[string]bool{}
	for _, c := range Cases() {
		b, err := c.build(graph.Float32)
		if err != nil {
			continue // its own test says so
		}
		for _, n := range b.g.Nodes() {
			if _, foreign := n.Op().(graph.Foreign); foreign || n.Op() == nil {
				continue
			}
			s := Sample{Name: graph.Describe(n.Op()), Op: n.Op()}
			for _, x := range n.Operands() {
				s.In = append(s.In, x.Meta())
				s.Name += fmt.Sprintf(" %v/%d", x.DType(), len(x.Shape()))
			}
			if !seen[s.Name] {
				seen[s.Name] = true
				all = append(all, s)
			}
		}
	}
	return all
})

// FuzzInfer gives ops operands and attributes that no row has, and nothing may panic. Infer must answer with an error
// or with a meta that Eval fills, and VJP with gradients of the operands' metas.
func FuzzInfer(f *testing.F) {
	samples, named := Samples(), map[string]Sample{}
	for i, s := range samples {
		named[s.Name] = s
		f.Add(s.Name, []byte{})
		f.Add(s.Name, []byte{1, 3, byte(i), 5, 1, 2, byte(i * 7), 1, 4, 9, 1, 8, byte(i * 3), 1, 6, 2, 1, 0, 11})
	}
	pool := vec.NewPool(1)
	f.Fuzz(func(t *testing.T, name string, choices []byte) {
		s, ok := named[name]
		if !ok {
			s = samples[int(Case{Name: name}.seed()%uint64(len(samples)))]
		}
		c := chooser(choices)
		s = Sample{s.Name, c.op(s.Op), c.metas(s.In)}
		if err := s.probe(pool); err != nil {
			t.Errorf("%s%v: %v", graph.Describe(s.Op), s.In, err)
		}
	})
}

// chooser turns bytes into choices; when they are spent it changes nothing more.
type chooser []byte

// next returns 0 ≤ i < n.
func (c *chooser) next(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

var (
	oddInts   = []int64{0, 1, 2, 3, -1, -2, 4, 7, 8, 9, 64, 1 << 20, 1 << 40, math.MaxInt64, math.MinInt64}
	oddFloats = []float64{0, 1, -1, 0.5, 2, 1e-30, 1e300, math.NaN(), math.Inf(1), math.Inf(-1)}
	oddDims   = []int{1, 2, 3, 5, 4, 8, 17, 1 << 20}
)

// op returns op with some attributes changed.
func (c *chooser) op(op graph.Op) graph.Op {
	v := reflect.New(reflect.TypeOf(op)).Elem()
	v.Set(reflect.ValueOf(op))
	c.change(v)
	return v.Interface().(graph.Op)
}

func (c *chooser) change(v reflect.Value) {
	if v.Type() == reflect.TypeFor[graph.Dims]() && v.CanSet() {
		d := v.Interface().(graph.Dims)
		if c.next(3) == 1 {
			d.N = c.next(graph.MaxRank + 2) // as DimsOf makes it: 0 and more
		}
		for i := range d.D {
			if c.next(3) == 1 {
				d.D[i] = int(oddInts[c.next(len(oddInts))])
			}
		}
		v.Set(reflect.ValueOf(d))
		return
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			c.change(v.Field(i))
		}
		return
	}
	if v.Kind() == reflect.Array {
		for i := range v.Len() {
			c.change(v.Index(i))
		}
		return
	}
	if !v.CanSet() || c.next(3) != 1 {
		return
	}
	switch {
	case v.CanInt():
		v.SetInt(oddInts[c.next(len(oddInts))])
	case v.CanUint():
		v.SetUint(uint64(c.next(256)))
	case v.CanFloat():
		v.SetFloat(oddFloats[c.next(len(oddFloats))])
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	}
}

// metas returns operands some of which are changed, missing or added.
func (c *chooser) metas(in []graph.Meta) []graph.Meta {
	var out []graph.Meta
	for _, m := range in {
		m = graph.Of(m.DType, m.Shape...)
		switch c.next(8) {
		case 1:
			m.DType = graph.DType(c.next(3))
		case 2:
			m.Shape = m.Shape[:c.next(len(m.Shape)+1)]
		case 3:
			if len(m.Shape) < graph.MaxRank {
				m.Shape = append(m.Shape, oddDims[c.next(len(oddDims))])
			}
		case 4:
			if len(m.Shape) > 0 {
				m.Shape[c.next(len(m.Shape))] = oddDims[c.next(len(oddDims))]
			}
		case 5:
			if c.next(4) == 1 {
				continue
			}
		case 6:
			if c.next(4) == 1 {
				out = append(out, m)
			}
		}
		out = append(out, m)
	}
	return out
}

// maxProbe bounds the values that probe evaluates, in bytes.
const maxProbe = 1 << 20

// probe holds the op to what FuzzInfer says.
func (s Sample) probe(pool graph.Workers) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("a panic: %v", r)
		}
	}()
	m, err := s.Op.Infer(s.In)
	if err != nil {
		return nil
	}
	g := graph.New()
	x := make([]*graph.Node, len(s.In))
	total := 0
	for i, in := range s.In {
		x[i] = g.Input(string(rune('a'+i)), in)
		total += in.Bytes()
	}
	if g.Err() != nil {
		return nil // no operand can have the meta
	}
	y := g.Apply(s.Op, x...)
	if g.Err() != nil {
		return nil // the result is too large
	}
	if !y.Meta().Equal(m) {
		return errors.Errorf("the node is %v, Infer says %v", y.Meta(), m)
	}
	if err := s.probeVJP(g, x, y); err != nil || total+m.Bytes() > maxProbe {
		return err
	}
	return s.probeEval(m, pool)
}

// probeVJP checks the metas of the gradients.
func (s Sample) probeVJP(g *graph.Graph, x []*graph.Node, y *graph.Node) error {
	stop, stops := s.Op.(graph.Stopper)
	var need []int
	for i, n := range x {
		if n.DType().IsFloat() && y.DType().IsFloat() && !(stops && stop.Stops(i)) {
			need = append(need, i)
		}
	}
	if len(need) == 0 {
		return nil
	}
	dx := s.Op.VJP(g, x, y, g.Input("dy", y.Meta()))
	if g.Err() != nil {
		return errors.Wrap(g.Err(), "VJP")
	}
	for _, i := range need {
		if i >= len(dx) || dx[i] == nil || !dx[i].Meta().Equal(x[i].Meta()) {
			return errors.Errorf("VJP gives no gradient of operand %d, or one of another meta", i)
		}
	}
	return nil
}

// probeEval evaluates twice over different poison: what differs was not written. An error is an answer.
func (s Sample) probeEval(m graph.Meta, pool graph.Workers) error {
	in := make([]graph.Buf, len(s.In))
	for i, im := range s.In {
		v := make([]float64, im.Size())
		for j := range v {
			v[j] = float64((j*7+i)%3) + 0.25
		}
		in[i] = toBuf(im, v)
	}
	whole, member, members := graph.WholeOf(s.Op)
	c := newCall(whole, in, members, pool, graph.Scalars{Step: 1, LR: 1e-3, Seed: 1})
	c.out[member] = fresh(m)
	if err := c.run(); err != nil {
		if recovered(err) {
			return err
		}
		return nil
	}
	return c.watched(false)
}
