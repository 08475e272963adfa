package cuda

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// choices are the ways of products on a device, as a run keeps them.
type choices struct {
	GPU        string         `json:"gpu"`
	Capability string         `json:"capability"`
	Driver     string         `json:"driver"`
	Library    string         `json:"library"` // "" where there is none
	Products   map[string]way `json:"products"`
}

// String says where the choices hold.
func (c choices) String() string {
	library := c.Library
	if library == "" {
		library = "no cuBLASLt"
	}
	return fmt.Sprintf("%s of capability %s, driver %s, %s", c.GPU, c.Capability, c.Driver, library)
}

// Choices implements plan.Chooser.
func (x *Device) Choices() (b []byte, n int, err error) {
	b, err = json.MarshalIndent(x.chosen, "", "  ")
	return b, len(x.chosen.Products), errors.Wrap(err, "cuda: Choices")
}

// Choose implements plan.Chooser.
func (x *Device) Choose(b []byte) (differs string, err error) {
	var c choices
	if err := json.Unmarshal(b, &c); err != nil {
		return "", errors.Wrap(err, "cuda: Choose")
	}
	for key, w := range c.Products {
		if _, err := algorithmOf(w); err != nil || w.Kernel != ownKernel && w.Kernel != libraryKernel {
			return "", errors.Errorf("cuda: Choose: product %q has kernel %q and algorithm %q", key, w.Kernel, w.Algorithm)
		}
	}
	if c.String() != x.chosen.String() {
		return fmt.Sprintf("products were chosen for %s, and this is %s", c, x.chosen), nil
	}
	for key, w := range c.Products {
		x.chosen.Products[key] = w
	}
	return "", nil
}

// algorithmOf reads the algorithm of a way.
func algorithmOf(w way) (a ext.Algorithm, err error) {
	a.Workspace = w.Workspace
	if w.Algorithm == "" {
		return a, nil
	}
	b, err := hex.DecodeString(w.Algorithm)
	if err != nil || len(b) != len(a.Data) {
		return a, errors.Errorf("cuda: algorithm %q, want %d bytes in hexadecimal", w.Algorithm, len(a.Data))
	}
	copy(a.Data[:], b)
	return a, nil
}

// The most memory that an algorithm may take, in bytes. An emulated device has little.
const (
	workspaceBytes         = 32 << 20
	emulatedWorkspaceBytes = 1 << 20
)

// workspace is the most memory that an algorithm may take on the device.
func (x *Device) workspace() int {
	if x.info.kind == "emulated" {
		return emulatedWorkspaceBytes
	}
	return workspaceBytes
}

// planned is the chooser while a plan is made: a product whose way is not chosen yet counts as one of the library.
func (x *Device) planned(p product) (way, error) {
	if x.chosen.Library == "" {
		return ownOnly(p)
	}
	if w, ok := x.known(p); ok {
		return w, nil
	}
	return libraryAlways(x.workspace())(p)
}

// known is the way of a product that was chosen before.
func (x *Device) known(p product) (w way, ok bool) {
	d, _ := p.described()
	w, ok = x.chosen.Products[p.key(d)]
	return w, ok
}

// way is the chooser of programs. It chooses once for a shape.
func (x *Device) way(p product) (w way, err error) {
	if x.chosen.Library == "" {
		return ownOnly(p)
	}
	if w, ok := x.known(p); ok {
		return w, nil
	}
	list, err := x.ways(p)
	if err != nil {
		return w, err
	}
	d, _ := p.described()
	key := p.key(d)
	if w = list[0]; w.Kernel == libraryKernel && x.measures(d) {
		w = x.fastest(p, key, append(list, way{Kernel: ownKernel}))
	}
	x.chosen.Products[key] = w
	return w, nil
}

// measures tells whether ways are chosen by their time. An emulated device has none, and operands off their alignment
// are rare.
func (x *Device) measures(d ext.Product) bool { return x.info.kind != "emulated" && d.Align == even }

// tried is how many algorithms are measured for a shape.
const tried = 4

// ways are the algorithms that the library has for a product, the one that it expects to be fastest first. It is our
// kernel where the library has none. An epilogue that the library lacks is left out.
func (x *Device) ways(p product) (list []way, err error) {
	d, _ := p.described()
	err = x.do(func() error {
		for _, bias := range []bool{true, false} {
			if len(list) > 0 || bias && p.bias == nil {
				continue
			}
			e := d
			if bias {
				e = withBias(d)
			}
			q, err := x.prepare(e)
			if err != nil {
				return err
			}
			found, err := x.drv.algorithms(q, tried)
			if err != nil {
				return err
			}
			for _, a := range found {
				list = append(list, way{Kernel: libraryKernel, Bias: bias, Algorithm: hex.EncodeToString(a.Data[:]), Workspace: a.Workspace})
			}
		}
		return nil
	})
	if len(list) == 0 {
		list = append(list, way{Kernel: ownKernel})
	}
	return list, err
}

// prepare describes a product to the library, once.
func (x *Device) prepare(p ext.Product) (prepared, error) {
	p.Workspace = x.workspace()
	if q, ok := x.products[p]; ok {
		return q, nil
	}
	q, err := x.drv.prepare(p)
	if err == nil {
		x.products[p] = q
	}
	return q, err
}

// fastest measures the ways of a product and returns the best one. Where there is no memory to measure, that is the
// first.
func (x *Device) fastest(p product, key string, list []way) way {
	best, least := list[0], time.Duration(0)
	for _, w := range list {
		x.chosen.Products[key] = w
		if d, err := x.timed(p); err == nil && (least == 0 || d < least) {
			best, least = w, d
		}
	}
	return best
}

// repeats is how often a way is measured, after one run that is not counted.
const repeats = 5

// timed is the least time that a product takes by the way that is chosen for now.
func (x *Device) timed(p product) (least time.Duration, err error) {
	g := graph.New()
	op, shapes := p.op()
	var in []*graph.Node
	for i, s := range shapes {
		in = append(in, g.State(itoa(i), graph.Of(graph.Float32, s...), graph.Param))
	}
	g.Output("y", g.Apply(op, in...))
	pl, err := plan.New(g, x.Options())
	if err != nil {
		return 0, err
	}
	s := x.NewState()
	defer s.Close()
	prog, err := x.Compile(pl, s)
	if err != nil {
		return 0, err
	}
	defer prog.Close()
	for i := range 1 + repeats {
		steps, err := prog.Time(nil, graph.Scalars{})
		if err != nil {
			return 0, err
		}
		var d time.Duration
		for _, t := range steps {
			d += t
		}
		if i == 1 || i > 1 && d < least {
			least = d
		}
	}
	return least, nil
}

// op is the op of a product that the library may take, and the shapes of its operands.
func (p product) op() (op graph.MatMul, shapes []graph.Shape) {
	d, _ := p.described()
	op = graph.MatMul{TransA: d.TransB, TransB: d.TransA, Bias: p.bias != nil, Acc: p.acc != nil, Act: p.act}
	matrix := func(rows, cols int, turned bool, batches int) graph.Shape {
		if turned {
			rows, cols = cols, rows
		}
		if p.batches == 1 {
			return graph.Shape{rows, cols}
		}
		return graph.Shape{batches, rows, cols}
	}
	each := func(stride int) int {
		if stride == 0 {
			return 1
		}
		return p.batches
	}
	shapes = []graph.Shape{matrix(p.m, p.k, op.TransA, each(d.B.Stride)), matrix(p.k, p.n, op.TransB, each(d.A.Stride))}
	if op.Bias {
		shapes = append(shapes, graph.Shape{p.n})
	}
	if op.Acc {
		shapes = append(shapes, matrix(p.m, p.n, false, p.batches))
	}
	return op, shapes
}

// multiplied binds a product of the library.
func (g *program) multiplied(b bound, l launch) (bound, error) {
	x := *l.product
	at := [6]uint64{} // c, a, b, bias, acc, workspace
	for i, a := range l.args[1:] {
		at[i], _ = g.bits(a, false)
	}
	x.operands = ext.Operands{A: at[2], B: at[1], C: at[0], D: at[0], Vector: at[3], Alpha: 1, Workspace: at[5], WorkspaceBytes: x.algorithm.Workspace}
	if at[4] != 0 {
		x.operands.C, x.operands.Beta = at[4], 1
	}
	for i, a := range []uint64{x.operands.A, x.operands.B, x.operands.C, x.operands.D} {
		if n := x.product.Align[i]; a%uint64(n) != 0 {
			return b, errors.Errorf("cuda: operand %c of a product lies at %#x, want a multiple of %d", "ABCD"[i], a, n)
		}
	}
	b.product = &x
	return b, nil
}
