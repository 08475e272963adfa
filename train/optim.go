package train

import (
	"cmp"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// Optimizer adds the update of one parameter to a graph: it declares the moments it keeps and assigns new values.
type Optimizer interface {
	// Rate is the learning rate before schedule and groups.
	Rate() float64
	// Update assigns p its next value from its gradient dp; scale is a scalar to multiply dp by first.
	Update(g *graph.Graph, p, dp, scale *graph.Node)
}

// counting is an optimizer whose update of a parameter depends on how many updates the parameter had before.
type counting interface {
	// from returns the optimizer of a parameter that was frozen in the first start updates of the run.
	from(start int64) Optimizer
}

// Group sets the learning rate and decay of the parameters whose names match a pattern; the first group that matches
// counts. See nn.Match.
type Group struct {
	Match   string  `yaml:"match"`
	Decay   float64 `yaml:"decay,omitempty" range:"[0,inf)"`
	LRScale float64 `yaml:"lr_scale,omitempty" range:"[0,inf)"` // on the learning rate; 0 means 1
}

// grouped is an optimizer with groups.
type grouped interface{ groups() []Group }

func (a AdamW) groups() []Group { return a.Groups }
func (a Adam) groups() []Group  { return a.Groups }
func (o SGD) groups() []Group   { return o.Groups }

// find returns the decay and learning rate scale of a parameter: its group's, else decay on matrices and 0 on biases
// and norms.
func find(groups []Group, p *graph.Node, decay float64) (float64, float64) {
	for _, group := range groups {
		if nn.Match(p.Name(), group.Match) {
			return group.Decay, cmp.Or(group.LRScale, 1)
		}
	}
	if len(p.Shape()) < 2 {
		return 0, 1
	}
	return decay, 1
}

// moment declares a state beside parameter p.
func moment(g *graph.Graph, p *graph.Node, name string) *graph.Node {
	return g.State(name+"."+p.Name(), p.Meta(), graph.Moment)
}

// AdamW is Adam with decoupled weight decay; biases and norms (parameters of one axis) have no decay. Zero betas are
// 0.9 and 0.999, the zero Eps 1e-8.
//
//	m = β₁·m + (1−β₁)·g;  v = β₂·v + (1−β₂)·g²
//	p = p − lr·decay·p − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
//
// Source: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2; ε as in PyTorch.
type AdamW struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	Decay        float64
	Groups       []Group
	start        int64
}

// Rate implements Optimizer.
func (a AdamW) Rate() float64 { return a.LR }

func (a AdamW) from(start int64) Optimizer {
	a.start = start
	return a
}

// Update implements Optimizer.
func (a AdamW) Update(g *graph.Graph, p, dp, scale *graph.Node) {
	adam(g, p, dp, scale, a, true)
}

func adam(g *graph.Graph, p, dp, scale *graph.Node, a AdamW, decoupled bool) {
	if g.Err() != nil {
		return
	}
	decay, lr := find(a.Groups, p, a.Decay)
	op := graph.AdamW{Beta1: cmp.Or(a.Beta1, 0.9), Beta2: cmp.Or(a.Beta2, 0.999), Eps: cmp.Or(a.Eps, 1e-8), Decay: decay, LRScale: lr, Decoupled: decoupled, Start: a.start}
	m, v := moment(g, p, "exp_avg"), moment(g, p, "exp_avg_sq")
	p1, m1, v1 := g.AdamW(op, p, dp, m, v, scale)
	g.Assign(p, p1)
	g.Assign(m, m1)
	g.Assign(v, v1)
}

// Adam is [AdamW] with the decay added to the gradient (L2), on the same parameters.
// Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.
type Adam AdamW

// Rate implements Optimizer.
func (a Adam) Rate() float64 { return a.LR }

func (a Adam) from(start int64) Optimizer {
	a.start = start
	return a
}

// Update implements Optimizer.
func (a Adam) Update(g *graph.Graph, p, dp, scale *graph.Node) {
	adam(g, p, dp, scale, AdamW(a), false)
}

// SGD is gradient descent with optional momentum, in PyTorch's form; biases and norms have no decay:
//
//	g = dp + decay·p
//	m = momentum·m + g, at the first step g
//	p = p − lr·m, with Nesterov p − lr·(g + momentum·m)
//
// Source: Sutskever et al. 2013, ICML, section 2.
type SGD struct {
	LR       float64
	Momentum float64
	Nesterov bool
	Decay    float64
	Groups   []Group
}

// Rate implements Optimizer.
func (o SGD) Rate() float64 { return o.LR }

// Update implements Optimizer.
func (o SGD) Update(g *graph.Graph, p, dp, scale *graph.Node) {
	if g.Err() != nil {
		return
	}
	decay, lr := find(o.Groups, p, o.Decay)
	op := graph.SGD{Momentum: o.Momentum, Nesterov: o.Nesterov, Decay: decay, LRScale: lr}
	var m *graph.Node
	if o.Momentum != 0 {
		m = moment(g, p, "momentum")
	}
	p1, m1 := g.SGD(op, p, dp, m, scale)
	g.Assign(p, p1)
	if m != nil {
		g.Assign(m, m1)
	}
}
