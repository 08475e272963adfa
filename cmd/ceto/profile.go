package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ceto-ml/ceto/graph"
)

// opKind is what the steps of one kind of op cost together.
type opKind struct {
	name  string
	n     int
	spent time.Duration
	flops int64
}

// profile runs the steps once more with a clock around each op and prints the kinds of ops by time.
func (b *stepBench) profile(w io.Writer) error {
	at := map[string]*opKind{}
	var kinds []*opKind
	for i := range b.steps {
		took, err := b.prog.Time(b.in[i%len(b.in)], graph.Scalars{Step: int64(stepWarmup + b.steps + i), LR: stepLR})
		if err != nil {
			return err
		}
		for j, s := range b.prog.Plan().Steps {
			name := graph.OpName(s.Op)
			if at[name] == nil {
				at[name] = &opKind{name: name}
				kinds = append(kinds, at[name])
			}
			k := at[name]
			k.n, k.spent, k.flops = k.n+1, k.spent+took[j], k.flops+s.FLOPs
		}
	}
	slices.SortFunc(kinds, func(a, b *opKind) int { return cmp.Compare(b.spent, a.spent) })
	var all time.Duration
	for _, k := range kinds {
		all += k.spent
	}
	for _, k := range kinds {
		fmt.Fprintf(w, "%-24s %4d  %9.3f ms/step  %5.1f %%  %6.1f GFLOP/s\n", k.name, k.n/b.steps, 1e3*k.spent.Seconds()/float64(b.steps),
			100*k.spent.Seconds()/all.Seconds(), float64(k.flops)/float64(max(1, k.spent.Nanoseconds())))
	}
	return nil
}
