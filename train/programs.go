package train

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

// shape has what batches of one shape need: memory for a batch, and a program of the whole step or of one micro-batch.
type shape struct {
	batch data.Batch
	in    map[string]any // the batch as the program's inputs
	prog  plan.Program
	build func(plan.Options) (plan.Program, error) // another program of the same graph
}

// maxShapes is how many shapes are kept at a time. Their programs share the memory of activations.
const maxShapes = 64

// shape returns the shape of batches of size examples with the given fields, and makes it where it is new.
func (l *Loop) shape(fields []data.Field, size int) (*shape, error) {
	key := fmt.Sprint(size, fields)
	if s := l.shapes[key]; s != nil {
		return s, nil
	}
	if len(l.shapes) == maxShapes {
		if err := l.closeShapes(); err != nil {
			return nil, err
		}
	}
	build := l.build(l.Run.builder)
	prog, err := l.program(build(fields, size)) // before the batch: it has the limit of memory
	if err != nil {
		return nil, err
	}
	s := &shape{prog: prog, batch: data.NewBatch(fields, size)}
	s.in = l.Run.feed(s.batch, size)
	s.build = func(o plan.Options) (plan.Program, error) {
		return compile(l.set.Executor, l.Run.State, o)(build(fields, size))
	}
	l.shapes[key] = s
	return s, nil
}

// program compiles a graph of the loop.
func (l *Loop) program(g *graph.Graph, err error) (plan.Program, error) {
	return compileWithin(l.set.MemoryLimit, l.set.Executor, l.Run.State, l.set.plan(), g, err)
}

// plan says how steps are planned.
func (t *Trainer) plan() plan.Options {
	o := t.Executor.Options()
	o.Shared, o.Recompute = true, t.Recompute
	return o
}

// closeShapes closes the programs of all shapes, after their results were read.
func (l *Loop) closeShapes() (err error) {
	if l.unread != nil {
		err = l.results(l.unread, false)
	}
	for _, s := range l.shapes {
		err = first(err, s.prog.Close())
	}
	clear(l.shapes)
	return err
}

// closePrograms closes the programs of a step. What they were compiled from stays readable.
func (l *Loop) closePrograms() error {
	err := l.closeShapes()
	if l.update != nil {
		err = first(err, l.update.Close())
	}
	return err
}

// first returns the first error, nil where there is none.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// next reads the next batch into the shape that fits it, and makes that l.step.
func (l *Loop) next() error {
	size, fields := data.Shape(l.src, l.set.Batch)
	s, err := l.shape(fields, size)
	if err != nil {
		return err
	}
	l.step = s
	_, err = l.src.Next(s.batch)
	return err
}
