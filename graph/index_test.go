package graph

import "testing"

// TestIndexAhead builds and differentiates a chain. Gorgonia's map has the place of every node before it is asked for,
// so that no node is searched for. Where Gorgonia moves its map, this fails.
func TestIndexAhead(t *testing.T) {
	g := New()
	x := g.Input("x", Of(Float32, 2))
	p := g.State("p", Of(Float32, 2), Param)
	y := x
	for range 500 {
		y = g.Mul(g.Add(y, p), x)
	}
	g.Grad(g.Sum(y), p)
	index, all := indexOf(g.expr), g.expr.AllNodes()
	if g.Err() != nil || index == nil || g.indexed < len(all) {
		t.Fatalf("%d of %d nodes entered ahead: %v", g.indexed, len(all), g.Err())
	}
	for i, e := range all {
		if at, ok := index[e.ID()]; !ok || at != i || g.expr.Node(e.ID()) != e {
			t.Fatalf("node %d has the id %d and the place %d, %v", i, e.ID(), at, ok)
		}
	}
	if g.expr.Has(int64(len(all))) {
		t.Fatal("Gorgonia finds a node that is yet to come")
	}
}
