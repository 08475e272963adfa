package nn_test

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// TestPack: a packing reaches the scopes below the root, and comes before the model and in no graph that generates.
func TestPack(t *testing.T) {
	ids := graph.Of(graph.Int32, 2, 5)
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	if s.Segments() != nil {
		t.Error("segments where nothing is packed")
	}
	p := nn.Packing{Segments: s.Input("segments", ids), Positions: s.Input("positions", ids)}
	s.Pack(p)
	if in := s.In("h.0"); in.Segments() != p.Segments || in.Positions(5) != p.Positions {
		t.Errorf("segments %v, positions %v of a child, want %v", in.Segments(), in.Positions(5), p)
	}
	s.Pack(nn.Packing{Segments: p.Segments})
	if y := s.Positions(5); y == p.Positions || !y.Shape().Equal(graph.Shape{5}) {
		t.Errorf("positions %v where the packing has none", y)
	}
	s.Param("weight", nn.Zeros, 3)
	s.Pack(p)
	g := graph.New()
	generate := nn.NewGenerateScope(g, nn.NewParams(graph.Float32), nn.Generation{Start: g.Input("start", graph.Of(graph.Int32, 2)), Capacity: 8})
	generate.Pack(p)
	for _, s := range []*nn.Scope{s, generate} {
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), "nn: Pack: want it before the model, in mode Train or Eval") {
			t.Errorf("error %v", err)
		}
	}
}
