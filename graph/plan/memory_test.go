package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// memory plays a plan without computing. It keeps for each word of memory which step wrote it last. It finds a step
// that reads what another step wrote there, or what nobody did.
type memory struct {
	p      *plan.Plan
	arena  []int
	own    map[int][]int // words of inputs and states, by slot
	writer []int         // of each slot, −1 where it has none
	below  [][]int       // slots whose Base a slot is
}

// Marks of words that no step has written.
const (
	garbage = -2
	initial = -1 // inputs and states before the run
)

func newMemory(p *plan.Plan) *memory {
	m := &memory{p: p, arena: fill(p.Sizes[plan.Activations]/4, garbage), own: map[int][]int{}, below: make([][]int, len(p.Slots))}
	m.writer = fill(len(p.Slots), -1)
	for i, s := range p.Steps {
		for _, y := range s.Out {
			if y >= 0 {
				m.writer[y] = i
			}
		}
	}
	for i, s := range p.Slots {
		if s.Base >= 0 {
			m.below[s.Base] = append(m.below[s.Base], i)
		} else if s.Region != plan.Activations {
			m.own[i] = fill((s.Meta.Bytes()+3)/4, initial)
		}
	}
	return m
}

func fill(n, v int) []int { return slices.Repeat([]int{v}, n) }

// words calls f with each run of words of slot x.
func (m *memory) words(x int, f func(w []int)) {
	s, off := &m.p.Slots[x], 0
	root := x
	for m.p.Slots[root].Base >= 0 {
		off += m.p.Slots[root].Offset
		root = m.p.Slots[root].Base
	}
	w, ok := m.own[root]
	if !ok {
		w, off = m.arena, off+m.p.Slots[root].Offset
	}
	size := s.Meta.DType.Size()
	row, stride := s.Meta.Size(), 0
	if s.Stride != 0 {
		row, stride = s.Row, s.Stride
	}
	for i := 0; i*row < s.Meta.Size(); i++ {
		at := (off + i*stride*size) / 4
		f(w[at : at+(row*size+3)/4])
	}
}

// writers are the steps that may have written what slot x holds when it is read. They are its own writer, or that
// of the value it is a view of. A value that is put together in place has those of its parts.
func (m *memory) writers(x int) []int {
	for {
		s := &m.p.Slots[x]
		if m.writer[x] >= 0 {
			return []int{m.writer[x]}
		}
		if s.Base < 0 {
			break
		}
		x = s.Base
	}
	if _, ok := m.own[x]; ok {
		return []int{initial}
	}
	var steps []int
	var walk func(x int)
	walk = func(x int) {
		for _, k := range m.below[x] {
			if m.writer[k] >= 0 {
				steps = append(steps, m.writer[k])
			}
			walk(k)
		}
	}
	walk(x)
	return steps
}

// read checks that slot x holds what it should.
func (m *memory) read(x int, who string) error {
	ok, found := m.writers(x), 0
	bad := false
	m.words(x, func(w []int) {
		for _, v := range w {
			if !slices.Contains(ok, v) {
				bad, found = true, v
			}
		}
	})
	if bad {
		return fmt.Errorf("%s reads slot %d, written by step %d; want %v", who, x, found, ok)
	}
	return nil
}

// step plays step i.
func (m *memory) step(i int) error {
	s := &m.p.Steps[i]
	for _, x := range s.In {
		if err := m.read(x, fmt.Sprintf("step %d %s", i, graph.Describe(s.Op))); err != nil {
			return err
		}
	}
	for part, y := range s.Out {
		if y < 0 {
			continue
		}
		m.words(y, func(w []int) {
			for k := range w {
				w[k] = i
			}
		})
		for operand, x := range s.In {
			if err := m.overlap(s, part, operand, x, y); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
	}
	return nil
}

// overlap checks that a result lies apart from an operand, or exactly over one that the op may overwrite.
func (m *memory) overlap(s *plan.Step, part, operand, x, y int) error {
	if !m.shares(x, y) {
		return nil
	}
	if o, ok := s.Op.(graph.Overwriter); ok && o.Overwrites(part, operand) && slices.Equal(m.runs(x), m.runs(y)) {
		return nil
	}
	return fmt.Errorf("%s: result %d overlaps operand %d", graph.Describe(s.Op), part, operand)
}

// runs lists the first and last word of each run of slot x.
func (m *memory) runs(x int) (at []*int) {
	m.words(x, func(w []int) {
		if len(w) > 0 {
			at = append(at, &w[0], &w[len(w)-1])
		}
	})
	return at
}

// shares reports whether a word belongs to both slots, by marking one.
func (m *memory) shares(x, y int) bool {
	var old []int
	const mark = -3
	m.words(x, func(w []int) {
		old = append(old, w...)
		for k := range w {
			w[k] = mark
		}
	})
	found := false
	m.words(y, func(w []int) { found = found || slices.Contains(w, mark) })
	m.words(x, func(w []int) { old = old[copy(w, old):] })
	return found
}

// check plays the whole plan, as a good run and as one whose guards fail.
func check(p *plan.Plan) error {
	m := newMemory(p)
	guards := func(when string) error {
		for _, x := range p.Guards {
			if err := m.read(x, "the guard "+when); err != nil {
				return err
			}
		}
		return nil
	}
	first := true
	for i, s := range p.Steps {
		if s.Guarded && first {
			first = false
			if err := guards("before the first guarded step"); err != nil {
				return err
			}
		}
		if err := m.step(i); err != nil {
			return err
		}
	}
	for _, o := range p.Outputs {
		if err := m.read(o.Slot, "output "+o.Name); err != nil {
			return err
		}
	}
	return guards("at the end")
}

// TestMemory: in every model's plan no value is overwritten while it is needed, and none is read before it is written.
func TestMemory(t *testing.T) {
	for _, m := range models() {
		for _, o := range options {
			if err := check(newPlan(t, m.step(t, graph.Float32), o)); err != nil {
				t.Errorf("%s %+v: %v", m.name, o, err)
			}
		}
	}
}

// TestMemoryFinds spoils a plan: each slot of the arena in turn is moved onto another that lives at the same time.
func TestMemoryFinds(t *testing.T) {
	m := models()[0]
	p := newPlan(t, m.step(t, graph.Float32), plan.Options{})
	n := 0
	for i := range p.Slots {
		for j := range p.Slots {
			a, b := &p.Slots[i], &p.Slots[j]
			owns := a.Base < 0 && b.Base < 0 && a.Region == plan.Activations && b.Region == plan.Activations
			if !owns || i == j || a.First >= b.First || b.First >= a.Last || a.Offset+max(a.Span(), b.Span()) > p.Sizes[plan.Activations] {
				continue
			}
			old := b.Offset
			b.Offset = a.Offset
			if check(p) == nil {
				t.Errorf("slot %d lies over slot %d, and nothing is found", j, i)
			}
			b.Offset = old
			n++
		}
	}
	if n < 20 {
		t.Errorf("%d plans spoilt", n)
	}
}
