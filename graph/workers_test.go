package graph_test

import (
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/graphtest"
)

// turns are workers of a user's own: they do a task's parts in turn, the last one first, on the calling goroutine.
type turns int

func (n turns) Workers() int { return int(n) }

func (n turns) Run(parts int, t graph.Work) {
	for i := parts - 1; i >= 0; i-- {
		t.Part(i, i%int(n))
	}
}

// TestOwnWorkers runs the table on workers of a user's own, which know exported types alone.
func TestOwnWorkers(t *testing.T) {
	if graphtest.Race {
		t.Skip("one goroutine: nothing for the race detector")
	}
	graphtest.Run(t, graphtest.Interpreter(turns(3)))
}

// TestNewWorkers holds the number of workers to what a Ctx tells, and to the most for which ops have scratch.
func TestNewWorkers(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 3: 3, 99: graph.MaxWorkers} {
		w, stop := graph.NewWorkers(n)
		c := graph.NewCtx(w, &graph.Scalars{}, nil)
		seen := make([]int, 50)
		graph.Each(c, len(seen), seen, func(a *[]int, i, _ int) { (*a)[i]++ })
		for i, k := range seen {
			if k != 1 {
				t.Errorf("%d workers: part %d was done %d times", n, i, k)
			}
		}
		if c.Workers() != want {
			t.Errorf("NewWorkers(%d) has %d, want %d", n, c.Workers(), want)
		}
		stop()
	}
}
