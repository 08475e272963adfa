package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/ceto-ml/ceto/graph"
)

// String prints the plan: a line a step, then the totals.
func (p *Plan) String() string {
	var b strings.Builder
	p.Print(&b)
	return b.String()
}

// Print writes what String returns.
func (p *Plan) Print(w io.Writer) {
	for i, s := range p.Steps {
		mark := " "
		if s.Guarded {
			mark = "!"
		}
		fmt.Fprintf(w, "%4d%s %-40s %s → %s  %d FLOPs, %d B  %s\n", i, mark, graph.Describe(s.Op), p.slots(s.In), p.slots(s.Out), s.FLOPs, s.Bytes, s.Scope)
	}
	for _, o := range p.Outputs {
		fmt.Fprintf(w, "output %s = %s\n", o.Name, p.slots([]int{o.Slot}))
	}
	fmt.Fprintf(w, "%d launches, %d FLOPs, %d B moved\n", len(p.Steps), p.FLOPs(), p.Moved())
	for r, n := range p.Sizes {
		if n > 0 {
			fmt.Fprintf(w, "%-12s %d B\n", Region(r), n)
		}
	}
	fmt.Fprintf(w, "lower bound of activations: %d B\n", p.Lower)
}

// slots prints places: region, offset in bytes (or the name of an input or state), meta.
func (p *Plan) slots(xs []int) string {
	var parts []string
	for _, x := range xs {
		if x < 0 {
			parts = append(parts, "_")
			continue
		}
		s := &p.Slots[x]
		r, off := p.Root(x)
		at := p.Slots[r].Name
		if at == "" {
			at = fmt.Sprintf("@%d", p.Slots[r].Offset+off)
		} else if off > 0 {
			at = fmt.Sprintf("%s+%d", at, off)
		}
		if s.Stride != 0 {
			at = fmt.Sprintf("%s/%d", at, s.Stride)
		}
		parts = append(parts, at+" "+s.Meta.String())
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Moved is the number of bytes that the steps read and write.
func (p *Plan) Moved() (n int64) {
	for _, s := range p.Steps {
		n += s.Bytes
	}
	return n
}

// Hash is the SHA-256 of the printed plan, in hexadecimal.
func (p *Plan) Hash() string {
	h := sha256.Sum256([]byte(p.String()))
	return hex.EncodeToString(h[:])
}
