package train

import (
	"math"
	"strings"

	"github.com/ceto-ml/ceto/graph"
)

// averageOf stands before a parameter's name in the name of its moving average.
const averageOf = "ema."

// average adds, for each parameter that g updates, the moving average of what it becomes.
func (b *Builder) average(g *graph.Graph) {
	if b.EMA == 0 {
		return
	}
	for _, a := range g.Assignments() {
		if a.State.Kind() != graph.Param {
			continue
		}
		avg := g.State(averageOf+a.State.Name(), a.State.Meta(), graph.Average)
		g.Assign(avg, g.EMA(avg, a.Value, b.EMA))
	}
}

// averageWeight is the sum of the weights of an average of n updates. That is 1 − decayⁿ, computed with decay and
// 1 − decay as they are rounded to dtype d.
func averageWeight(d graph.DType, decay float64, n int) float64 {
	rounded := graph.NewBuf(graph.Of(d, 2))
	rounded.Set(0, decay)
	rounded.Set(1, 1-decay)
	keep, add := rounded.At(0), rounded.At(1)
	return add * (1 - math.Pow(keep, float64(n))) / (1 - keep)
}

// average puts the averages in place of the parameters and returns the parameters' own values, for [State.restore].
func (l *Loop) average() (own map[string]graph.Buf, err error) {
	s := l.Run.State
	own = map[string]graph.Buf{}
	if l.set.EMA == 0 || l.at.Step == 0 {
		return own, nil
	}
	k := 1 / averageWeight(l.set.DType, l.set.EMA, l.at.Step)
	for _, avg := range s.Names(graph.Average) {
		name, ok := strings.CutPrefix(avg, averageOf)
		if !ok {
			continue
		}
		if own[name], err = s.value(name); err != nil {
			return own, err
		}
		if err := s.writeScaled(name, avg, k); err != nil {
			return own, err
		}
	}
	return own, nil
}

// writeScaled gives name k times the value of from.
func (s *State) writeScaled(name, from string, k float64) error {
	b, err := s.value(from)
	if err != nil {
		return err
	}
	for i := range b.Size() {
		b.Set(i, b.At(i)*k)
	}
	return s.Write(name, graph.Dense(b))
}

// averaged calls f with the averages in place of the parameters.
func (l *Loop) averaged(f func() error) error {
	own, err := l.average()
	if err == nil {
		err = f()
	}
	if e := l.Run.State.restore(own); err == nil {
		err = e
	}
	return err
}
