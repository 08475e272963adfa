package nn

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/google/go-cmp/cmp"
)

// TestAdapt: which layers get low-rank matrices, their shapes and first values, and what is frozen.
func TestAdapt(t *testing.T) {
	params := NewParams(graph.Float32)
	if err := params.Adapt(LoRA{Targets: []string{"*.a", "c"}, Rank: 2, Dropout: 0.5, Also: []string{"c.bias"}}); err != nil {
		t.Fatal(err)
	}
	build := func(m Mode) *Scope {
		s := NewScope(graph.New(), params, m)
		x := s.Input("x", graph.Of(graph.Float32, 3, 4))
		x = s.Call("x.a", Linear{Out: 5}, x)
		x = s.Call("b", Linear{Out: 6, OutIn: true}, x)
		s.Output("y", s.Call("c", Linear{Out: 7, OutIn: true}, x))
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	build(Train)
	build(Eval)
	got := map[string]string{}
	for _, p := range params.All() {
		got[p.Name] = p.Meta.String() + map[bool]string{true: " frozen"}[p.Frozen]
	}
	want := map[string]string{
		"x.a.weight": "float32[4 5] frozen", "x.a.bias": "float32[5] frozen", "x.a.lora_A.weight": "float32[2 4]", "x.a.lora_B.weight": "float32[5 2]",
		"b.weight": "float32[6 5] frozen", "b.bias": "float32[6] frozen",
		"c.weight": "float32[7 6] frozen", "c.bias": "float32[7]", "c.lora_A.weight": "float32[2 6]", "c.lora_B.weight": "float32[7 2]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for name, limit := range map[string]float32{"x.a.lora_A.weight": 0.5, "x.a.lora_B.weight": 0} {
		b, err := params.Get(name).Value(1)
		if err != nil {
			t.Fatal(err)
		}
		var most float32
		for _, v := range graph.Data[float32](b) {
			most = max(most, v, -v)
		}
		if most > limit || limit > 0 && most < limit/4 {
			t.Errorf("%s: values up to %g, want up to %g", name, most, limit)
		}
	}
	if a, b := (LoRA{Rank: 4}).Scale(), (LoRA{Rank: 4, Alpha: 8, RSLoRA: true}).Scale(); a != 1 || b != 4 {
		t.Errorf("scales %g, %g; want 1 and 4", a, b)
	}
	if err := params.Adapt(LoRA{Targets: []string{"*"}, Rank: 1}); err == nil || !strings.Contains(err.Error(), "after the first declaration") {
		t.Errorf("Adapt after parameters: %v", err)
	}
	for _, bad := range []LoRA{{Targets: []string{"*"}}, {Rank: 1}, {Targets: []string{"["}, Rank: 1}, {Targets: []string{"*"}, Rank: 1, Dropout: 1}} {
		if err := NewParams(graph.Float32).Adapt(bad); err == nil {
			t.Errorf("Adapt(%+v): no error", bad)
		}
	}
}

// TestUnfreeze: of several patterns the last that matches counts, for parameters declared before and after.
func TestUnfreeze(t *testing.T) {
	params := NewParams(graph.Float32)
	declare := func(names ...string) {
		for _, n := range names {
			if _, err := params.declare(&Param{Name: n, Init: Zeros, Meta: graph.Of(graph.Float32, 1)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	declare("a.weight", "h.0.bias")
	for _, err := range []error{params.Freeze("*"), params.Unfreeze("h.*"), params.Freeze("*.bias")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	declare("b.weight", "h.1.weight", "h.1.bias")
	for name, want := range map[string]bool{"a.weight": true, "h.0.bias": true, "b.weight": true, "h.1.weight": false, "h.1.bias": true} {
		if got := params.Get(name).Frozen; got != want {
			t.Errorf("%s: frozen %t, want %t", name, got, want)
		}
	}
	if err := params.Unfreeze("[a"); err == nil {
		t.Error("a malformed pattern: no error")
	}
}
