package plot

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// model is the forward graph of a GPT with three equal blocks.
func model(t *testing.T) *graph.Graph {
	t.Helper()
	s := nn.NewScope(graph.New(), nn.NewParams(graph.Float32), nn.Train)
	s.Output("logits", gpt.GPT2{Layers: 3, Heads: 2, Width: 8, Vocab: 11, Context: 4}.Forward(s, s.Input("ids", graph.Of(graph.Int32, 1, 4))))
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return s.Graph
}

// TestDrawings: blocks that repeat are drawn once, and both drawings have the same boxes and arrows.
func TestDrawings(t *testing.T) {
	var svg, dot strings.Builder
	g := model(t)
	if err := errors.Join(SVG(&svg, g, "three <blocks>"), DOT(&dot, g, "three <blocks>")); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(svg.String()))
	for {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the SVG is not XML: %v", err)
		}
	}
	for _, want := range []string{"three &lt;blocks&gt;", "h.0 to h.2: 3 times the same", "Attention", "wte.weight"} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("the SVG lacks %q", want)
		}
	}
	if strings.Contains(svg.String(), "h.1.") {
		t.Error("the second of three equal blocks is drawn")
	}
	boxes, arrows := strings.Count(svg.String(), `rx="5"`), strings.Count(svg.String(), "marker-end")
	if n, m := strings.Count(dot.String(), `shape="box"`), strings.Count(dot.String(), "->"); boxes < 10 || n != boxes || m != arrows {
		t.Errorf("%d boxes and %d arrows in SVG, %d and %d in DOT", boxes, arrows, n, m)
	}
}

// TestCurve: means of the values by column, from the first to the last.
func TestCurve(t *testing.T) {
	if c := Curve([]float64{1}, "one"); c != "" {
		t.Errorf("one value is %q", c)
	}
	var values []float64
	for i := range 700 {
		values = append(values, 10*math.Exp(-float64(i)/100))
	}
	c := Curve(values, "a caption")
	lines := strings.Split(c, "\n")
	if len(lines) != 14 || !strings.Contains(lines[13], "a caption") || !strings.Contains(lines[0], "9.56") || !strings.Contains(lines[12], "0.01") {
		t.Errorf("%d lines:\n%s", len(lines), c)
	}
}

func ExampleCurve() {
	c := Curve([]float64{0, 1, 2, 3}, "steps")
	fmt.Println(strings.Count(c, "\n"), "lines")
	// Output: 13 lines
}

func ExampleDOT() {
	g := graph.New()
	x := g.Input("x", graph.Of(graph.Float32, 2))
	g.Output("y", g.Tanh(x))
	var text strings.Builder
	if err := DOT(&text, g, "tanh"); err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(text.String(), "\n")[1:5] {
		fmt.Println(strings.TrimSpace(line))
	}
	// Output:
	// label="tanh";
	// n1[label="x\nfloat32[2]",shape="box"];
	// n2[label="Tanh\nfloat32[2]",shape="box"];
	// n1->n2;
}
