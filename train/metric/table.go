package metric

import (
	"fmt"
	"sort"
	"strings"
)

const (
	maxMatrix = 12 // more classes than this are not printed as a matrix: it would not fit 80 columns
	maxPairs  = 10
)

// String returns two tables for a terminal. The first is the matrix, whose rows are targets and whose columns are
// predictions. The second has precision, recall, F1 and rows of each class, and their averages. For more than 12
// classes the most frequent confusions stand below it in place of the matrix.
func (c *Confusion) String() string {
	if c.Classes <= maxMatrix {
		return c.matrix() + "\n" + c.table()
	}
	return c.table() + "\n" + c.pairs()
}

// name is how a class prints.
func (c *Confusion) name(class int) string {
	switch {
	case class < 0:
		return "none"
	case class < len(c.Names) && c.Names[class] != "":
		return c.Names[class]
	}
	return fmt.Sprint(class)
}

// matrix prints the counts. It has a column "none" if there are predictions that name no class.
func (c *Confusion) matrix() string {
	cols := []int{}
	none := 0
	for p := range c.Classes {
		cols = append(cols, p)
		none += c.Count(p, -1)
	}
	if none > 0 {
		cols = append(cols, -1)
	}
	head := []string{"target \\ predicted"}
	for _, p := range cols {
		head = append(head, c.name(p))
	}
	rows := [][]string{head}
	for t := range c.Classes {
		row := []string{c.name(t)}
		for _, p := range cols {
			row = append(row, fmt.Sprint(c.Count(t, p)))
		}
		rows = append(rows, row)
	}
	return align(rows)
}

// table prints the measures of each class.
func (c *Confusion) table() string {
	rows := [][]string{{"class", "precision", "recall", "f1", "rows"}}
	line := func(name string, precision, recall, f1 float64, n int) {
		rows = append(rows, []string{name, decimal(precision), decimal(recall), decimal(f1), fmt.Sprint(n)})
	}
	for i, n := range c.Counts() {
		line(c.name(i), n.Precision(), n.Recall(), n.F1(), n.Target)
	}
	for _, avg := range []Average{Micro, Macro, Weighted} {
		line(avg.String(), c.Precision(avg), c.Recall(avg), c.F1(avg), c.Rows())
	}
	return align(rows)
}

func decimal(v float64) string { return fmt.Sprintf("%.3f", v) }

// pairs prints the most frequent confusions.
func (c *Confusion) pairs() string {
	var wrong [][2]int
	for cell := range c.cells {
		if cell[0] != cell[1] {
			wrong = append(wrong, cell)
		}
	}
	sort.Slice(wrong, func(i, j int) bool {
		a, b := wrong[i], wrong[j]
		if n, m := c.cells[a], c.cells[b]; n != m {
			return n > m
		}
		return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
	})
	rows := [][]string{{"target", "predicted", "rows"}}
	for _, cell := range wrong[:min(len(wrong), maxPairs)] {
		rows = append(rows, []string{c.name(cell[0]), c.name(cell[1]), fmt.Sprint(c.cells[cell])})
	}
	return align(rows)
}

// align sets rows in columns, the first to the left and the others to the right.
func align(rows [][]string) string {
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for j, s := range row {
			wide[j] = max(wide[j], width(s))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for j, s := range row {
			pad := strings.Repeat(" ", wide[j]-width(s))
			if j == 0 {
				b.WriteString(s + pad)
			} else {
				b.WriteString("  " + pad + s)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// width is the number of terminal cells that s takes: two for each rune from Hangul Jamo on, where CJK lies.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 {
			n++
		}
	}
	return n
}
