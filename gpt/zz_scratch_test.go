package gpt

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
)

func TestScratch(t *testing.T) {
	p := os.Getenv("SCRATCH")
	if p == "" {
		t.Skip()
	}
	tokens, _ := strconv.Atoi(os.Getenv("TOK"))
	x := plan.CPU(0)
	g, err := Load(p, x)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.prepare(1, 512); err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	pr, err := g.program(planKey{tokens: tokens})
	fmt.Println("program", time.Since(t0), err)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"ids": make([]int32, tokens), "start": []int32{int32(160)}, "last": []int32{int32(tokens - 1)}}
	if tokens > 1 {
		in["start"] = []int32{0}
	}
	by := map[string][]float64{}
	for k := 0; k < 7; k++ {
		took, err := pr.Time(in, graph.Scalars{})
		if err != nil {
			t.Fatal(err)
		}
		sum := map[string]float64{}
		for i, s := range pr.Plan().Steps {
			name := graph.Describe(s.Op)
			if len(s.In) > 1 {
				name += fmt.Sprint(pr.Plan().Slots[s.In[1]].Meta.Shape)
			}
			sum[name] += took[i].Seconds() * 1e3
			sum["total"] += took[i].Seconds() * 1e3
			sum["~steps"]++
		}
		for n, v := range sum {
			by[n] = append(by[n], v)
		}
	}
	var names []string
	for n := range by {
		names = append(names, n)
		slices.Sort(by[n])
	}
	slices.SortFunc(names, func(a, b string) int {
		if by[a][3] > by[b][3] {
			return -1
		}
		return 1
	})
	for _, n := range names {
		fmt.Printf("%9.3f ms  %s\n", by[n][3], n)
	}
}
