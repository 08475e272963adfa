package graph

import (
	"reflect"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// Gorgonia looks a node up by its id each time it adds an edge. It has a map of ids, but the first time it searches
// the list of all nodes: building a graph is quadratic in its nodes. The ids are the places in the list, so
// they are entered here before Gorgonia asks. What lies past the end of the list counts as
// absent there. The map is a private field of Gorgonia v0.9.18; without it, building is merely slow.

// indexAhead enters the ids of the nodes to come.
func (g *Graph) indexAhead() {
	all := g.expr.AllNodes()
	n := len(all)
	if n+16 < g.indexed || n > 0 && all[n-1].ID() != int64(n-1) {
		return
	}
	index := indexOf(g.expr)
	if index == nil {
		g.indexed = int(^uint(0) >> 1) // there is none to fill
		return
	}
	for to := 2*n + 64; g.indexed < to; g.indexed++ {
		index[int64(g.indexed)] = g.indexed
	}
}

// indexOf returns Gorgonia's map from the id of a node to its place, nil where there is no such field.
func indexOf(e *gorgonia.ExprGraph) map[int64]int {
	f := reflect.ValueOf(e).Elem().FieldByName("byID")
	if !f.IsValid() || f.Type() != reflect.TypeFor[map[int64]int]() {
		return nil
	}
	return *(*map[int64]int)(unsafe.Pointer(f.UnsafeAddr()))
}
