package pretrained

import (
	"runtime"
	"sync"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/mapped"
)

// stored is a tensor of a file with the way to its values.
type stored struct {
	Tensor
	rows          func(dst []float32, from, to int) error // decodes rows from … to−1 of the outermost axis
	gpt.Transform                                         // what the file does to the parameter
	merges        []*loraPair                             // what adapters add to the values, the last adapter's last
}

func (t *stored) fits(shape graph.Shape) bool {
	if t.Transposed {
		return len(t.Shape) == 2 && shape.Equal(graph.Shape{t.Shape[1], t.Shape[0]})
	}
	return shape.Equal(t.Shape)
}

// read decodes the whole parameter and merges adapters into it.
func (t *stored) read(dst []float32) error {
	if err := t.plain(dst); err != nil {
		return err
	}
	for _, p := range t.merges {
		p.merge(dst)
	}
	return nil
}

// plain decodes the whole parameter.
func (t *stored) plain(dst []float32) error {
	w := dst
	if t.Transposed {
		w = make([]float32, len(dst))
	}
	if err := t.decode(w); err != nil {
		return err
	}
	if t.Transposed {
		copy(dst, transpose(w, t.Shape))
	}
	if t.Plus != 0 {
		for i := range dst {
			dst[i] -= t.Plus
		}
	}
	return nil
}

// minPart is the least number of values worth a goroutine.
const minPart = 1 << 16

// decode decodes all rows, in the order that the parameter wants them.
func (t *stored) decode(dst []float32) error {
	rows := 1
	if len(t.Shape) > 0 {
		rows = t.Shape[0]
	}
	width := len(dst) / rows
	part := max(1, minPart/width, (rows+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	errs := make([]error, (rows+part-1)/part)
	var wg sync.WaitGroup
	for p := range errs {
		wg.Go(func() {
			errs[p] = mapped.Guard(func() error { return t.part(dst, width, p*part, min(rows, (p+1)*part)) })
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// part decodes rows from … to−1 of a width.
func (t *stored) part(dst []float32, width, from, to int) error {
	if t.Row == nil {
		return t.rows(dst[from*width:to*width], from, to)
	}
	for i := from; i < to; i++ {
		r := t.Row(i)
		if err := t.rows(dst[i*width:(i+1)*width], r, r+1); err != nil {
			return err
		}
	}
	return nil
}
