package plot

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/ceto-ml/ceto/graph"
)

// SVG draws a graph of ops from top to bottom. Each op and input is a box with its shape and the parameters that it
// reads, and each layer a frame. Blocks that repeat are drawn once.
func SVG(w io.Writer, g *graph.Graph, title string) error {
	d := newDrawing(g, title)
	d.layout()
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif">`+"\n", d.w, d.h, d.w, d.h)
	fmt.Fprintf(out, `<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#556"/></marker></defs>`+"\n")
	fmt.Fprintf(out, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text(out, margin/2, margin/2, 15, "bold", "#223", title)
	for _, g := range d.groups {
		fmt.Fprintf(out, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="8" fill="#%s" stroke="#b8c0cc"/>`+"\n",
			g.x0, g.y0, g.x1-g.x0, g.y1-g.y0, []string{"f6f8fb", "eef2f7", "e6ecf4"}[min(g.depth, 2)])
		text(out, g.x0+6, g.y0+11, 10, "normal", "#667", g.label)
	}
	for _, b := range d.boxes {
		for _, f := range b.from {
			d.edge(out, f, b)
		}
	}
	for _, b := range d.boxes {
		fmt.Fprintf(out, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="5" fill="%s" stroke="#556"/>`+"\n", b.x, b.y, b.w, b.h, colour(b.node))
		for i, l := range b.lines {
			weight, size := "normal", 10.5
			if i == 0 {
				weight, size = "bold", 12
			}
			text(out, b.x+boxPad, b.y+float64((i+1)*lineHeight)-1, size, weight, "#112", l)
		}
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func text(w io.Writer, x, y, size float64, weight, fill, s string) {
	fmt.Fprintf(w, `<text x="%.0f" y="%.0f" font-size="%g" font-weight="%s" fill="%s">%s</text>`+"\n", x, y, size, weight, fill, html.EscapeString(s))
}

// edge draws from the foot of one box to the head of the next, or along a lane on the left where it skips ranks.
func (d *drawing) edge(w io.Writer, f, t *box) {
	const style = `fill="none" stroke="#556" marker-end="url(#a)"/>`
	x0, y0, x1, y1 := f.x+f.w/2, f.y+f.h, t.x+t.w/2, t.y
	if !skips(f, t) {
		m := (y0 + y1) / 2
		fmt.Fprintf(w, `<path d="M%.0f %.0f C%.0f %.0f %.0f %.0f %.0f %.0f" %s`+"\n", x0, y0, x0, m, x1, m, x1, y1, style)
		return
	}
	lane := float64(margin/2 + laneGap*d.lane(f, t))
	y0, y1 = f.y+f.h/2, t.y+t.h/2
	fmt.Fprintf(w, `<path d="M%.0f %.0f H%.0f Q%.0f %.0f %.0f %.0f V%.0f Q%.0f %.0f %.0f %.0f H%.0f" %s`+"\n",
		f.x, y0, lane+6, lane, y0, lane, y0+6, y1-6, lane, y1, lane+6, y1, t.x, style)
}

// colours of boxes by what the op does.
var colours = []struct{ word, colour string }{
	{"MatMul", "#ffd9a8"}, {"Attention", "#dcc8f0"}, {"Norm", "#c8e6c9"}, {"Embedding", "#ffecb3"}, {"LU", "#f8c8c8"}, {"Tanh", "#f8c8c8"}, {"Dropout", "#e0e0e0"},
}

func colour(n *graph.Node) string {
	if n.Op() == nil {
		return "#bbdefb"
	}
	for _, c := range colours {
		if strings.Contains(graph.OpName(n.Op()), c.word) {
			return c.colour
		}
	}
	return "#f5f5f5"
}
