package cuda

import (
	"math"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// A dim is the extent of a grid or of a block.
type dim struct{ x, y, z int }

// A launch is one run of a kernel, as the lowering of a step asks for it.
type launch struct {
	kernel      string
	grid, block dim
	shared      int // bytes of dynamic shared memory
	args        []arg
	product     *multiplication // in place of a kernel
}

// An argKind says what an argument of a kernel is.
type argKind uint8

const (
	argBits   argKind = iota // a number, by its bits
	argValue                 // the address of an operand or a result
	argTemp                  // an address in the scratch of the step
	argTable                 // the address of constants
	argScalar                // the address of a number that changes from run to run
	argStop                  // the address of the guard's flag, 0 for a step that is not guarded
)

// An arg is an argument of a kernel.
type arg struct {
	kind   argKind
	float  bool   // of bits: float32, which fills no parameter of 8 bytes
	bits   uint64 // of a number
	slot   int    // of a value: a slot of the plan, −1 for address 0
	offset int    // in bytes: from the value's or the scratch's start
	table  []int32
	scalar scalar
}

// A scalar is a number that the host computes for each run: it lies in a block on the device, 8 bytes each. Equal
// scalars share a place.
type scalar struct {
	kind   scalarKind
	scale  float64 // of the learning rate; 0 means 1
	beta   float64 // of a bias correction
	start  int64   // the step count before the first update
	decay  float64
	stream uint64 // of a key
}

// A scalarKind says how a scalar follows from graph.Scalars. t is the step count less start.
type scalarKind uint8

const (
	scalarRate  scalarKind = iota // float32: rate = learning rate · scale
	scalarKeep                    // float32: 1 − rate·decay
	scalarStep                    // float32: rate/(1 − betaᵗ)
	scalarRoot                    // float32: 1/√(1 − betaᵗ)
	scalarKey                     // uint64: the key of a random op, see graph.Scalars.Key
	scalarFirst                   // uint32: 1 in the first step, else 0
)

// bits returns the 8 bytes of a scalar in a run. A t under 1 is an error.
func (s scalar) bits(now *graph.Scalars) (uint64, error) {
	rate := now.LR
	if s.scale != 0 {
		rate *= s.scale
	}
	t := now.Step - s.start
	if t < 1 && (s.kind == scalarStep || s.kind == scalarRoot) {
		return 0, errors.Errorf("step count %d, want %d at the first update", now.Step, s.start+1)
	}
	correction := 1 - math.Pow(s.beta, float64(t))
	v := rate
	switch s.kind {
	case scalarKey:
		return now.Key(s.stream), nil
	case scalarFirst:
		return uint64(btoi(now.Step <= 1)), nil
	case scalarKeep:
		v = 1 - rate*s.decay
	case scalarStep:
		v = rate / correction
	case scalarRoot:
		v = 1 / math.Sqrt(correction)
	}
	return uint64(math.Float32bits(float32(v))), nil
}
