package nn

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Summary writes a table of the layers that were called while a model was built through s. Its columns are path, type,
// output shape, own parameters, whether they train, and bytes of the output. Below it stand the totals, and where the
// model has buffers, their number of scalars. A tied weight counts once, where it is declared.
func Summary(w io.Writer, s *Scope) error {
	params, own := s.build.params, s.own()
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "layer\ttype\toutput\tparams\t\tbytes")
	if n := own[""]; n.all > 0 {
		fmt.Fprintf(t, "(model)\t\t\t%d\t%s\t\n", n.all, n.state())
	}
	for _, r := range s.Rows() {
		n := own[r.Path]
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%s\t%d\n", r.Path, r.Type, r.Out.Shape, n.all, n.state(), r.Out.Bytes())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	all, train := params.Count()
	buffers := ""
	if n := params.CountBuffers(); n > 0 {
		buffers = fmt.Sprintf(", buffers: %d", n)
	}
	_, err := fmt.Fprintf(w, "parameters: %d, trainable: %d, frozen: %d, bytes: %d%s\n", all, train, all-train, params.Bytes(), buffers)
	return err
}

// owned counts parameters.
type owned struct{ all, frozen int }

func (o owned) state() string {
	switch {
	case o.all == 0:
		return ""
	case o.frozen == 0:
		return "trainable"
	case o.frozen == o.all:
		return "frozen"
	}
	return "partly frozen"
}

// own counts the parameters of each layer that no child with a row declared; "" is the root.
func (s *Scope) own() map[string]owned {
	rows := map[string]bool{}
	for _, r := range s.Rows() {
		rows[r.Path] = true
	}
	own := map[string]owned{}
	for _, q := range s.build.params.list {
		path := q.Name
		for path != "" && !rows[path] {
			path = path[:max(0, strings.LastIndexByte(path, '.'))]
		}
		n := own[path]
		n.all += q.Meta.Size()
		if q.Frozen {
			n.frozen += q.Meta.Size()
		}
		own[path] = n
	}
	return own
}

// Bytes is the memory of all parameters.
func (p *Params) Bytes() int {
	all, _ := p.Count()
	return all * p.DType.Size()
}
