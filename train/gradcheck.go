package train

import (
	"math"
	"sort"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// GradCheck compares the gradients of a task with central differences of its loss, in float64.
type GradCheck struct {
	Task     Task
	Seed     uint64
	Full     bool          // checks every coordinate, not a sample
	Executor plan.Executor // nil is plan.CPU(0)
	Bound    float64       // the largest error that passes; 0 is 1e-6
	// Random is the standard deviation of noise that is added to the parameters' first values, N(0, Random²). With it
	// no parameter sits at a symmetric point where its gradient vanishes.
	Random float64
}

// GradReport is what a check found.
type GradReport struct {
	Checked     int    // directions and coordinates
	WorstParam  string // a parameter's name; one that does not reach the loss is not checked
	WorstRelErr float64
	OK          bool
	ByParam     map[string]float64 // the worst error of each parameter
}

// Directions and coordinates checked of each parameter: unit directions drawn at random, and the coordinates with the
// largest gradients.
const (
	checkDirections  = 4
	checkCoordinates = 8
	checkStep        = 6e-3 // of the sixth-order difference: about where its error h⁶ and rounding, 1e-16/h of the loss, meet
)

// gradChecker is a check under way.
type gradChecker struct {
	GradCheck
	state  *State
	names  []string // of the parameters that train and reach the loss
	loss   plan.Program
	open   []plan.Program
	in     map[string]any
	grads  map[string][]float64
	floor  float64
	report GradReport
}

// Run checks the gradients for one batch. For each parameter it compares derivatives along random unit directions and
// at the coordinates with the largest gradients. The error of an analytic derivative a and a numeric one n is
//
//	|a − n| / max(|a|, |n|, 1e-4·rms of all gradients)
//
// The third term is there since some gradients are exactly zero, as that of the bias of an attention's keys.
func (c GradCheck) Run(fields []data.Field, b data.Batch, size int) (GradReport, error) {
	if c.Executor == nil {
		c.Executor = newExecutor()
		defer c.Executor.Close()
	}
	if c.Bound == 0 {
		c.Bound = 1e-6
	}
	params := nn.NewParams(graph.Float64)
	k := &gradChecker{GradCheck: c, state: &State{State: c.Executor.NewState(), Params: params}, grads: map[string][]float64{}}
	k.report = GradReport{ByParam: map[string]float64{}, OK: true}
	defer k.close()
	builder := &Builder{Task: c.Task, Params: params}
	grad, err := k.compile(builder, fields, size)
	if err != nil {
		return k.report, err
	}
	k.in = (&Run{}).feed(b, size)
	if err := k.analytic(grad, builder.trains); err != nil {
		return k.report, err
	}
	for _, name := range k.names {
		if err := k.param(params.Get(name)); err != nil {
			return k.report, errors.Wrapf(err, "train: GradCheck: %s", name)
		}
	}
	return k.report, nil
}

// compile makes the plan of the gradients and the plan of the loss.
func (k *gradChecker) compile(b *Builder, fields []data.Field, size int) (plan.Program, error) {
	g := graph.New()
	_, _, params, grads, err := b.backward(g, fields, size)
	if err != nil {
		return nil, err
	}
	for i, p := range params {
		g.Output(gradOf+p.Name(), grads[i])
	}
	make := func(g *graph.Graph, err error) (plan.Program, error) {
		p, err := compile(k.Executor, k.state, k.Executor.Options())(g, err)
		if err == nil {
			k.open = append(k.open, p)
		}
		return p, err
	}
	grad, err := make(g, g.Err())
	if err != nil {
		return nil, err
	}
	k.names = b.trains
	if k.loss, err = make(b.Forward(nn.Train, fields, size)); err != nil {
		return nil, err
	}
	return grad, b.hold(k.Executor, k.state)
}

// close closes the programs and the state. An error there cannot change what was found.
func (k *gradChecker) close() {
	for _, p := range k.open {
		p.Close()
	}
	k.state.Close()
}

// analytic sets the parameters and reads the gradients of those named.
func (k *gradChecker) analytic(grad plan.Program, names []string) error {
	if err := k.state.Init(k.Seed); err != nil {
		return err
	}
	if err := k.shake(); err != nil {
		return err
	}
	if err := grad.Run(k.in, graph.Scalars{Seed: k.Seed}); err != nil {
		return err
	}
	sum, n := 0.0, 0
	for _, name := range k.names {
		d, err := grad.Read(gradOf + name)
		if err != nil {
			return err
		}
		v, ok := d.Data().([]float64)
		if !ok {
			return errors.Errorf("train: GradCheck: gradient of %s is %v", name, d.Dtype())
		}
		k.grads[name] = v
		for _, x := range v {
			sum += x * x
		}
		n += len(v)
	}
	k.floor = 1e-4 * math.Sqrt(sum/float64(n))
	return nil
}

// shake adds N(0, Random²) to every parameter.
func (k *gradChecker) shake() error {
	for _, p := range k.state.Params.All() {
		d, err := k.state.Read(p.Name)
		if err != nil {
			return err
		}
		r := nn.NewRand(k.Seed, "shake."+p.Name)
		v, _ := d.Data().([]float64)
		for i := range v {
			v[i] += k.Random * r.Normal(i, 0)
		}
		if err := k.state.Write(p.Name, d); err != nil {
			return err
		}
	}
	return nil
}

func (k *gradChecker) param(p *nn.Param) error {
	g := k.grads[p.Name]
	r := nn.NewRand(k.Seed, "direction."+p.Name)
	dirs := make([][]float64, 0, checkDirections)
	for d := range checkDirections {
		v := make([]float64, len(g))
		norm := 0.0
		for i := range v {
			v[i] = r.Normal(i, d<<20)
			norm += v[i] * v[i]
		}
		for i := range v {
			v[i] /= math.Sqrt(norm)
		}
		dirs = append(dirs, v)
	}
	for _, i := range k.coordinates(g) {
		v := make([]float64, len(g))
		v[i] = 1
		dirs = append(dirs, v)
	}
	for _, v := range dirs {
		if err := k.along(p, v); err != nil {
			return err
		}
	}
	return nil
}

// coordinates returns the coordinates to check one by one: those with the largest gradients, or all.
func (k *gradChecker) coordinates(g []float64) []int {
	idx := make([]int, len(g))
	for i := range idx {
		idx[i] = i
	}
	if k.Full {
		return idx
	}
	sort.SliceStable(idx, func(a, b int) bool { return math.Abs(g[idx[a]]) > math.Abs(g[idx[b]]) })
	return idx[:min(len(idx), checkCoordinates)]
}

// along compares the derivative of the loss along v at parameter p.
func (k *gradChecker) along(p *nn.Param, v []float64) error {
	analytic := 0.0
	for i, g := range k.grads[p.Name] {
		analytic += g * v[i]
	}
	d, err := k.state.Read(p.Name)
	if err != nil {
		return err
	}
	base, _ := d.Data().([]float64)
	at := func(t float64) float64 {
		if err != nil {
			return 0
		}
		moved := graph.NewBuf(p.Meta)
		for i, x := range base {
			graph.Data[float64](moved)[i] = x + t*v[i]
		}
		if err = k.state.Write(p.Name, graph.Dense(moved)); err == nil {
			err = k.loss.Run(k.in, graph.Scalars{Seed: k.Seed})
		}
		if err != nil {
			return 0
		}
		var l float64
		l, err = k.loss.Scalar(field.Loss)
		return l
	}
	const h = checkStep
	numeric := (45*(at(h)-at(-h)) - 9*(at(2*h)-at(-2*h)) + (at(3*h) - at(-3*h))) / (60 * h)
	if err == nil {
		err = k.state.Write(p.Name, d)
	}
	if err != nil {
		return err
	}
	k.note(p.Name, math.Abs(analytic-numeric)/math.Max(k.floor, math.Max(math.Abs(analytic), math.Abs(numeric))))
	return nil
}

func (k *gradChecker) note(name string, e float64) {
	r := &k.report
	r.Checked++
	r.ByParam[name] = math.Max(r.ByParam[name], e)
	if e > r.WorstRelErr || r.WorstParam == "" || e != e {
		r.WorstParam, r.WorstRelErr = name, e
	}
	if !(e <= k.Bound) {
		r.OK = false
	}
}
