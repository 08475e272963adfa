package train

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// MemoryError says that a step or an evaluation needs more memory than there is.
type MemoryError struct {
	What       string // what needs it: "a step"
	Batch      int    // its examples
	Need, Free uint64 // bytes; 0 where an allocation failed
	Fits       int    // the largest batch that fits, 0 where none does
	Err        error  // of the allocation that failed
}

func (e *MemoryError) Error() string {
	s := fmt.Sprintf("train: %s of batch %d", e.What, e.Batch)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	} else {
		s += fmt.Sprintf(" needs %s of memory, %s are free", size(e.Need), size(e.Free))
	}
	if e.Fits == 0 {
		return s + "; no batch fits: take a smaller context or model, or recompute activations"
	}
	return s + fmt.Sprintf("; a batch of %d fits, or take a smaller context, or recompute activations", e.Fits)
}

// Unwrap returns the error of the allocation.
func (e *MemoryError) Unwrap() error { return e.Err }

// size is a number of bytes in words.
func size(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// LargestBatch is the largest batch up to most that fits in free bytes, 0 where none does. need tells the bytes of a
// batch of n examples, which grow with n. Guesses along a line through two batches take turns with halves of what is
// left.
func LargestBatch(most int, free uint64, need func(n int) (uint64, error)) (int, error) {
	if most < 1 {
		return 0, nil
	}
	one, err := need(1)
	if err != nil || one > free {
		return 0, err
	}
	fits, over := 1, most // over+1 does not fit, or is more than is asked for
	for next, turn := 2, 0; fits < over; turn++ {
		n, err := need(next)
		if err != nil {
			return 0, err
		}
		if n <= free {
			fits = next
		} else {
			over = next - 1
		}
		if n <= one {
			return 0, errors.Errorf("train: the memory of a batch does not grow: %d bytes for 1, %d for %d", one, n, next)
		}
		each := float64(n-one) / float64(next-1)
		if next = int(min(1+float64(free-one)/each, float64(over))); turn%2 == 1 && over < most {
			next = fits + (over-fits)/2
		}
		next = max(fits+1, next)
	}
	return fits, nil
}

// fitting completes the error of what got too little memory for a batch. What can be had is free bytes, and need tells
// the bytes of a batch of n examples. Another error stays as it is.
func fitting(err error, what string, batch int, free uint64, need func(n int) (uint64, error)) error {
	var e *MemoryError
	var failed *plan.MemoryError
	most := batch
	switch {
	case errors.As(err, &e) && e.Batch == 0:
		free = e.Free
	case e == nil && errors.As(err, &failed):
		e = &MemoryError{Err: err}
		err, most = e, batch-1 // the batch itself did not fit
	default:
		return err
	}
	e.What, e.Batch = what, batch
	if n, other := LargestBatch(most, free, need); other == nil {
		e.Fits = n
	}
	return err
}

// need tells the bytes of a step that b builds.
func (l *Loop) need(b *Builder) func(n int) (uint64, error) {
	return func(n int) (uint64, error) {
		size, fields := data.Largest(l.src, n)
		g, err := l.build(b)(fields, size)
		return total(l.set.plan(), g, err)
	}
}

// total is the number of bytes of a graph's plan.
func total(o plan.Options, g *graph.Graph, err error) (uint64, error) {
	p, err := planWithin(0, o, g, err)
	if err != nil {
		return 0, err
	}
	return uint64(p.Total()), nil
}

// build makes the graph of a step, or of a micro-batch.
func (l *Loop) build(b *Builder) func(fields []data.Field, size int) (*graph.Graph, error) {
	if l.set.Accumulate > 1 {
		return b.Accumulate
	}
	return b.Step
}
