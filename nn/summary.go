package nn

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Summary writes a table of the layers that were called while a model was built through s: path, type, output shape,
// own parameters, whether they train, and bytes of the output; then the totals, a tied weight counted once.
func Summary(w io.Writer, s *Scope) error {
	params := s.build.params
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "layer\ttype\toutput\tparams\t\tbytes")
	for _, r := range s.Rows() {
		n, frozen := params.under(r.Path, s.Rows())
		state := ""
		if n > 0 {
			state = map[bool]string{false: "trainable", true: "frozen"}[frozen]
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%s\t%d\n", r.Path, r.Type, r.Out.Shape, n, state, r.Out.Bytes())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	all, train := params.Count()
	_, err := fmt.Fprintf(w, "parameters: %d, trainable: %d, frozen: %d, bytes: %d\n", all, train, all-train, all*params.DType.Size())
	return err
}

// under counts the parameters that the layer at path declared itself, not through a child that has a row.
func (p *Params) under(path string, rows []Row) (n int, frozen bool) {
	frozen = true
	for _, q := range p.list {
		if owner(q.Name, rows) == path {
			n += q.Meta.Size()
			frozen = frozen && q.Frozen
		}
	}
	return n, frozen
}

// owner is the longest path of a row that the name lies under.
func owner(name string, rows []Row) string {
	best := ""
	for _, r := range rows {
		if strings.HasPrefix(name, r.Path+".") && len(r.Path) > len(best) {
			best = r.Path
		}
	}
	return best
}

// Bytes is the memory of all parameters.
func (p *Params) Bytes() int {
	all, _ := p.Count()
	return all * p.DType.Size()
}
