package nn

import (
	"fmt"
	"path"
	"slices"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Param is what is known of a parameter or a buffer before it has a value.
type Param struct {
	Name   string
	Meta   graph.Meta
	Init   Init
	Frozen bool // a parameter without gradient and moments
	Buffer bool // saved with the model but not trained; see Scope.Buffer
}

// Params is the register of a model's parameters and buffers, each in the order of declaration. Building a graph fills
// it and computes no value; an executor's State holds the values. It is not safe for concurrent use.
type Params struct {
	DType   graph.DType
	list    []*Param
	buffers []*Param
	byName  map[string]*Param
	freeze  []freezing
	lora    *LoRA
}

// freezing says whether the names that match a pattern are frozen. Where several patterns match, the last one counts.
type freezing struct {
	pattern string
	frozen  bool
}

// NewParams returns an empty register for parameters of dtype d.
func NewParams(d graph.DType) *Params { return &Params{DType: d, byName: map[string]*Param{}} }

// All lists the parameters in the order of declaration. The buffers are not among them.
func (p *Params) All() []*Param { return p.list }

// Buffers lists the buffers in the order of declaration.
func (p *Params) Buffers() []*Param { return p.buffers }

// Get returns the parameter or buffer of that name, nil where there is none.
func (p *Params) Get(name string) *Param { return p.byName[name] }

// CountBuffers is the number of scalars in the buffers.
func (p *Params) CountBuffers() (n int) {
	for _, q := range p.buffers {
		n += q.Meta.Size()
	}
	return n
}

// Count is the number of scalars in the parameters, and in those that are not frozen. Buffers do not count.
func (p *Params) Count() (all, trainable int) {
	for _, q := range p.list {
		all += q.Meta.Size()
		if !q.Frozen {
			trainable += q.Meta.Size()
		}
	}
	return all, trainable
}

// Freeze keeps the parameters as they are whose names match one of the patterns, such as "wte.*" or "*.bias"; see
// [Match]. It holds for parameters that are declared later, too. A malformed pattern is an error.
func (p *Params) Freeze(patterns ...string) error { return p.setFrozen("Freeze", true, patterns) }

// Unfreeze lets the parameters train again whose names match one of the patterns. A malformed pattern is an error.
func (p *Params) Unfreeze(patterns ...string) error { return p.setFrozen("Unfreeze", false, patterns) }

func (p *Params) setFrozen(name string, frozen bool, patterns []string) error {
	for _, s := range patterns {
		if _, err := path.Match(s, ""); err != nil {
			return errors.Wrapf(err, "nn: %s %q", name, s)
		}
	}
	for _, s := range patterns {
		p.freeze = append(p.freeze, freezing{s, frozen})
	}
	for _, q := range p.list {
		q.Frozen = p.frozen(q.Name)
	}
	return nil
}

// frozen tells whether a name is frozen, by the last pattern that it matches.
func (p *Params) frozen(name string) (frozen bool) {
	for _, f := range p.freeze {
		if Match(name, f.pattern) {
			frozen = f.frozen
		}
	}
	return frozen
}

// Match reports whether name matches one of the patterns, which are those of path.Match. A dot in a pattern or a name
// is a character like any other.
func Match(name string, patterns ...string) bool {
	for _, s := range patterns {
		if ok, _ := path.Match(s, name); ok {
			return true
		}
	}
	return false
}

// declare enters a parameter or a buffer, or finds the one that an earlier graph entered.
func (p *Params) declare(q *Param) (*Param, error) {
	if old := p.byName[q.Name]; old != nil {
		switch {
		case old.Buffer != q.Buffer:
			return nil, errors.Errorf("nn: %s %q: an earlier graph has a %s of that name", q.what(), q.Name, old.what())
		case !old.Meta.Equal(q.Meta):
			return nil, errors.Errorf("nn: %s %q: %v here, %v in an earlier graph", q.what(), q.Name, q.Meta, old.Meta)
		}
		return old, nil
	}
	p.byName[q.Name] = q
	if q.Buffer {
		p.buffers = append(p.buffers, q)
	} else {
		q.Frozen = p.frozen(q.Name)
		p.list = append(p.list, q)
	}
	return q, nil
}

// what is the name of p's sort in errors: the method that declares it.
func (p *Param) what() string {
	if p.Buffer {
		return "Buffer"
	}
	return "Param"
}

// Value computes the first value of a parameter or buffer, a function of seed, name, shape and init alone. It is an
// error where there is no Init, or where Init fails.
func (p *Param) Value(seed uint64) (graph.Buf, error) {
	if p.Init == nil {
		return graph.Buf{}, errors.Errorf("nn: %s %q has no Init", p.what(), p.Name)
	}
	w := make([]float64, p.Meta.Size())
	if err := p.Init(w, p.Meta.Shape, NewRand(seed, p.Name)); err != nil {
		return graph.Buf{}, errors.Wrapf(err, "nn: %s %q %v", p.what(), p.Name, p.Meta)
	}
	b := graph.NewBuf(p.Meta)
	b.Convert(graph.BufOf(w, p.Meta.Shape...))
	return b, nil
}

// Fill computes the first value of every parameter and buffer that is not in have, and hands it to write. That is the
// Write of an executor's State, with graph.Dense around b. Values in have are not drawn, as 100 million take seconds.
func (p *Params) Fill(seed uint64, have map[string]bool, write func(name string, b graph.Buf) error) error {
	for _, q := range slices.Concat(p.list, p.buffers) {
		if have[q.Name] {
			continue
		}
		b, err := q.Value(seed)
		if err != nil {
			return err
		}
		if err := write(q.Name, b); err != nil {
			return err
		}
	}
	return nil
}

func typeOf(v any) string { return fmt.Sprintf("%T", v) }
