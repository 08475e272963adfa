// Package plan says in what order a graph is computed and where in memory.
//
//	exec := plan.CPU(0)
//	p, err := plan.New(g, exec.Options())
//	state := exec.NewState()
//	step, err := exec.Compile(p, state)
//	err = step.Run(map[string]any{"x": x, "y": y}, graph.Scalars{Step: 1, LR: 1e-3})
//	loss, err := step.Scalar("loss")
//
// A [Plan] is a flat list of steps over numbered slots. [New] makes it once for fixed shapes: lowering, then passes.
// Each pass is a function that changes the plan and keeps what it computes. An [Executor] sees plans only.
//
// A new executor implements [Executor], [State] and [Program]. What executors have in common is exported here: [Values]
// keeps the books of a state, [Plan.Place] and its like tell where slots lie.
package plan

import (
	"slices"

	"github.com/ceto-ml/ceto/graph"
)

// Region is a part of memory with a life of its own.
type Region uint8

// The regions. All but the last three hold states: see graph.Kind.
const (
	Params Region = iota
	Grads
	Moments
	Statistics
	Caches
	Averages
	Inputs
	Activations // one arena: results of steps, placed by their lifetimes; outputs keep theirs to the end
	Scratch     // memory of one step
	regions
)

var regionNames = [regions]string{"params", "grads", "moments", "statistics", "caches", "averages", "inputs", "activations", "scratch"}

func (r Region) String() string { return regionNames[r] }

// RegionOf is the region of an input or state of the given kind.
func RegionOf(k graph.Kind) Region {
	switch k {
	case graph.Param:
		return Params
	case graph.Grad:
		return Grads
	case graph.Moment:
		return Moments
	case graph.Statistic:
		return Statistics
	case graph.Cache:
		return Caches
	case graph.Average:
		return Averages
	case graph.Input:
		return Inputs
	}
	return Activations
}

// Slot is a place for one value. Before the passes each slot has one writer.
type Slot struct {
	Meta   graph.Meta
	Region Region
	Name   string // of an input or state
	Base   int    // the slot whose memory this one lies in, -1 where it has its own
	Offset int    // bytes from the start of Base, or of the region where Base is -1
	// Row and Stride, in elements, are those of graph.Buf; 0 for a contiguous value.
	Row, Stride int
	// First and Last are the steps that write it first and touch it last, aliases included, for slots with own memory.
	// A value that is kept (an output) has len(Steps) as Last.
	First, Last int
}

// Step is one op over slots.
type Step struct {
	Op      graph.Op // the whole, where it has members
	In      []int
	Out     []int // a slot for each member, -1 where nothing reads it
	Scope   string
	Scratch int   // bytes, as the executor that the plan is made for says
	FLOPs   int64 // floating-point operations
	Bytes   int64 // read and written
	Guarded bool  // writes state: left out in a run whose guards are not finite
}

// Named is a slot that can be read by name.
type Named struct {
	Name string
	Slot int
}

// Plan is a graph lowered for fixed shapes.
type Plan struct {
	Steps   []Step
	Slots   []Slot
	Outputs []Named
	Guards  []int        // scalars that must be finite before a Guarded step runs
	Sizes   [regions]int // bytes of each region
	Lower   int          // bytes: the largest sum of live activations, which no placement can beat
	// Shared says that the programs of a state may have the memory of their activations in common. An output then holds
	// until another one runs.
	Shared  bool
	assigns []assign
	options Options
}

// assign stores the value slot in the state slot.
type assign struct{ state, value int }

// FLOPs is the number of floating-point operations of one run.
func (p *Plan) FLOPs() (n int64) {
	for _, s := range p.Steps {
		n += s.FLOPs
	}
	return n
}

// Foreign lists the ops that run through Gorgonia's Do, each once: their operands are copied and each run allocates.
func (p *Plan) Foreign() (ops []string) {
	for _, s := range p.Steps {
		if f, ok := s.Op.(graph.Foreign); ok && !slices.Contains(ops, f.String()) {
			ops = append(ops, f.String())
		}
	}
	return ops
}

// Total is the number of bytes of all regions.
func (p *Plan) Total() (n int) {
	for _, s := range p.Sizes {
		n += s
	}
	return n
}

// uses tells for each slot which steps read and write it, and whether it is an output, a guard or a value to store.
type uses struct {
	readers [][]int // steps
	writer  []int   // the step, -1 for inputs and states
	kept    []bool  // read other than by a step
}

func (p *Plan) uses() uses {
	u := uses{make([][]int, len(p.Slots)), make([]int, len(p.Slots)), make([]bool, len(p.Slots))}
	for i := range u.writer {
		u.writer[i] = -1
	}
	for i, s := range p.Steps {
		for _, x := range s.In {
			u.readers[x] = append(u.readers[x], i)
		}
		for _, y := range s.Out {
			if y >= 0 {
				u.writer[y] = i
			}
		}
	}
	for _, o := range p.Outputs {
		u.kept[o.Slot] = true
	}
	for _, s := range p.Guards {
		u.kept[s] = true
	}
	for _, a := range p.assigns {
		u.kept[a.value] = true
	}
	return u
}

// only reports whether slot x is read by exactly one step, once, and by nothing else.
func (u uses) only(x int) bool { return len(u.readers[x]) == 1 && !u.kept[x] }

// drop removes the steps marked dead.
func (p *Plan) drop(dead map[int]bool) {
	if len(dead) == 0 {
		return
	}
	kept := p.Steps[:0]
	for i, s := range p.Steps {
		if !dead[i] {
			kept = append(kept, s)
		}
	}
	p.Steps = kept
}
