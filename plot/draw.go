package plot

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/emicklei/dot"
)

// drawing is a graph laid out in ranks from top to bottom. Blocks that repeat ("h.0" to "h.11") are drawn once.
type drawing struct {
	title  string
	boxes  []*box
	of     map[*graph.Node]*box
	ranks  [][]*box
	groups []*group
	lanes  [][2]float64 // vertical extents of the edges that skip ranks, by lane
	w, h   float64
}

// box is the result of an op, or an input.
type box struct {
	node       *graph.Node
	lines      []string // the first is the name
	from       []*box
	rank       int
	x, y, w, h float64 // of the upper left corner
}

// group is a frame around the boxes of one scope.
type group struct {
	path, label    string
	depth          int
	x0, y0, x1, y1 float64
}

// repeats maps the nodes of a block to those of the first equal block before it, and counts the blocks of a path.
type repeats struct {
	first map[*graph.Node]*graph.Node
	count map[string]int    // by the first block's path
	last  map[string]string // the last equal block's path, by the first one's
}

// newDrawing chooses what is drawn: the ops and inputs of g, parameters inside the boxes of the ops that read them.
func newDrawing(g *graph.Graph, title string) *drawing {
	d := &drawing{title: title, of: map[*graph.Node]*box{}}
	rep := findRepeats(g)
	for _, n := range g.Nodes() {
		if n.Op() == nil && n.Kind() != graph.Input || rep.first[n] != nil {
			continue
		}
		b := &box{node: n}
		if n.Op() == nil {
			b.lines = []string{n.Name(), n.Meta().String()}
		} else {
			b.lines = []string{graph.OpName(n.Op()), n.Meta().String()}
		}
		for _, x := range n.Operands() {
			if f := rep.first[x]; f != nil {
				x = f
			}
			if from := d.of[x]; from != nil {
				b.from = append(b.from, from)
				b.rank = max(b.rank, from.rank+1)
			} else {
				b.lines = append(b.lines, x.Name()+" "+x.Shape().String())
			}
		}
		d.of[n], d.boxes = b, append(d.boxes, b)
	}
	d.addGroups(rep)
	return d
}

// block splits "h.3.attn" at its first number: the block's path "h.3" and its number.
func block(scope string) (path string, number int, ok bool) {
	parts := strings.Split(scope, ".")
	for i, p := range parts {
		if n, err := strconv.Atoi(p); err == nil {
			return strings.Join(parts[:i+1], "."), n, true
		}
	}
	return "", 0, false
}

// findRepeats compares numbered blocks of one parent, in order, by their ops and shapes.
func findRepeats(g *graph.Graph) repeats {
	r := repeats{map[*graph.Node]*graph.Node{}, map[string]int{}, map[string]string{}}
	nodes, sign := map[string][]*graph.Node{}, map[string]string{}
	var paths []string
	for _, n := range g.Nodes() {
		path, _, ok := block(n.Scope())
		if !ok || n.Op() == nil {
			continue
		}
		if nodes[path] == nil {
			paths = append(paths, path)
		}
		nodes[path] = append(nodes[path], n)
		sign[path] += graph.OpName(n.Op()) + n.Meta().String() + strings.TrimPrefix(n.Scope(), path) + "\n"
	}
	first := ""
	for _, p := range paths {
		parent := p[:strings.LastIndexByte(p, '.')+1]
		if first == "" || sign[p] != sign[first] || !strings.HasPrefix(first, parent) {
			first = p
		} else {
			for i, n := range nodes[p] {
				r.first[n] = nodes[first][i]
			}
		}
		r.count[first]++
		r.last[first] = p
	}
	return r
}

// addGroups makes a frame for each scope of the boxes, the outer ones first.
func (d *drawing) addGroups(rep repeats) {
	seen := map[string]bool{"": true}
	for _, b := range d.boxes {
		parts := strings.Split(b.node.Scope(), ".")
		for i := range parts {
			path := strings.Join(parts[:i+1], ".")
			if seen[path] || b.node.Scope() == "" {
				continue
			}
			seen[path] = true
			label := path
			if n := rep.count[path]; n > 1 {
				label = fmt.Sprintf("%s to %s: %d times the same", path, rep.last[path], n)
			}
			d.groups = append(d.groups, &group{path: path, label: label, depth: i})
		}
	}
	d.groups = slices.DeleteFunc(d.groups, func(g *group) bool {
		return !slices.ContainsFunc(d.boxes, func(b *box) bool { return b.node.Scope() == g.path }) && rep.count[g.path] < 2
	})
	slices.SortStableFunc(d.groups, func(a, b *group) int { return a.depth - b.depth })
}

// Sizes of the drawing in pixels.
const (
	boxPad, lineHeight, charWidth = 8, 15, 7
	rankGap, boxGap, laneGap      = 34, 40, 16
	groupPad, groupLabel, margin  = 9, 14, 60
)

// layout gives each box its place: a row a rank, centred.
func (d *drawing) layout() {
	for _, b := range d.boxes {
		for len(d.ranks) <= b.rank {
			d.ranks = append(d.ranks, nil)
		}
		d.ranks[b.rank] = append(d.ranks[b.rank], b)
		for i, l := range b.lines {
			b.w = max(b.w, float64(len([]rune(l))*(charWidth-min(i, 1))+2*boxPad))
		}
		b.h = float64(len(b.lines)*lineHeight + boxPad)
	}
	widths := make([]float64, len(d.ranks))
	for i, r := range d.ranks {
		for _, b := range r {
			widths[i] += b.w + boxGap
		}
		widths[i] -= boxGap
	}
	widest := slices.Max(widths)
	left := float64(margin + laneGap*d.assignLanes())
	y := float64(margin)
	for i, r := range d.ranks {
		x, tall := left+(widest-widths[i])/2, 0.0
		for _, b := range r {
			b.x, b.y = x, y
			x += b.w + boxGap
			tall = max(tall, b.h)
		}
		y += tall + rankGap
	}
	d.w, d.h = left+widest+margin, y+margin/2
	for _, g := range slices.Backward(d.groups) {
		d.frame(g)
	}
}

// frame puts g around its boxes and around the frames in it.
func (d *drawing) frame(g *group) {
	g.x0, g.y0 = 1e9, 1e9
	in := func(path string) bool { return path == g.path || strings.HasPrefix(path, g.path+".") }
	for _, b := range d.boxes {
		if in(b.node.Scope()) {
			g.x0, g.y0 = min(g.x0, b.x-groupPad), min(g.y0, b.y-groupLabel)
			g.x1, g.y1 = max(g.x1, b.x+b.w+groupPad), max(g.y1, b.y+b.h+groupPad/2)
		}
	}
	for _, k := range d.groups {
		if k != g && in(k.path) {
			g.x0, g.y0 = min(g.x0, k.x0-groupPad), min(g.y0, k.y0-groupLabel)
			g.x1, g.y1 = max(g.x1, k.x1+groupPad), max(g.y1, k.y1+groupPad/2)
		}
	}
}

// skips reports whether an edge passes ranks by; such edges run in lanes on the left.
func skips(from, to *box) bool { return to.rank > from.rank+1 }

// lane finds the lane of an edge by the ranks it passes.
func (d *drawing) lane(from, to *box) int {
	for i, l := range d.lanes {
		if l[0] == float64(from.rank) && l[1] == float64(to.rank) {
			return i
		}
	}
	d.lanes = append(d.lanes, [2]float64{float64(from.rank), float64(to.rank)})
	return len(d.lanes) - 1
}

// assignLanes gives each edge that skips ranks a lane and returns their number.
func (d *drawing) assignLanes() int {
	for _, b := range d.boxes {
		for _, f := range b.from {
			if skips(f, b) {
				d.lane(f, b)
			}
		}
	}
	return len(d.lanes)
}

// DOT writes a graph of ops as [SVG] draws it, in the language of Graphviz.
func DOT(w io.Writer, g *graph.Graph, title string) error {
	d := newDrawing(g, title)
	out := dot.NewGraph(dot.Directed)
	out.Label(title)
	at := map[*box]dot.Node{}
	for _, g := range d.groups {
		out.Subgraph(g.path, dot.ClusterOption{}).Label(g.label)
	}
	for i, b := range d.boxes {
		in := out
		if s := b.node.Scope(); s != "" {
			in = out.Subgraph(s, dot.ClusterOption{})
		}
		at[b] = in.Node("n"+strconv.Itoa(i)).Attr("shape", "box").Attr("label", strings.Join(b.lines, "\n"))
		for _, f := range b.from {
			out.Edge(at[f], at[b])
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
