package graphtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/vec"
)

func TestStress(t *testing.T) {
	samples := Samples()
	pool := vec.NewPool(1)
	bad := map[string]bool{}
	n := 0
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); n++ {
		s := samples[rand.IntN(len(samples))]
		c := make(chooser, rand.IntN(40))
		for i := range c {
			c[i] = byte(rand.Uint32())
			if rand.IntN(2) == 0 {
				c[i] = 0
			}
		}
		cc := append(chooser{}, c...)
		q := Sample{s.Name, c.op(s.Op), c.metas(s.In)}
		t0 := time.Now()
		if err := q.probe(pool); err != nil && !bad[graph.OpName(s.Op)] {
			bad[graph.OpName(s.Op)] = true
			t.Errorf("%q %v: %s%v: %v", s.Name, []byte(cc), graph.Describe(q.Op), q.In, err)
		}
		if d := time.Since(t0); d > time.Second {
			t.Errorf("slow %v: %s%v", d, graph.Describe(q.Op), q.In)
		}
	}
	t.Log(n)
}
