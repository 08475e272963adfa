package record

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Classes are the distinct values of a column, sorted by their bytes, and which of them each record has. Values that
// are the same label by [Labels] are one class.
type Classes struct {
	Names []string
	Count []int   // records of each
	Of    []int32 // number of the class of each record, in Names
	Alike string  // says which labels were written in several ways; "" where none was
}

// Classes reads a column of all records as classes. Memory: 4 bytes a record and the distinct values.
func (r *Records) Classes(column string) (*Classes, error) {
	of := make([]int32, r.n)
	c, l := &Classes{Of: of}, &Labels{}
	for i := range of {
		v, quoted, err := r.label(i, column)
		if err != nil {
			return nil, err
		}
		k := l.Add(v, quoted)
		if int(k) == len(c.Count) {
			c.Count = append(c.Count, 0)
		}
		of[i] = k
		c.Count[k]++
	}
	c.Names, c.Alike = l.Names, l.Alike()
	order := make([]int, len(c.Names))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return c.Names[order[a]] < c.Names[order[b]] })
	names, count, to := c.Names, c.Count, make([]int32, len(order))
	c.Names, c.Count = make([]string, len(order)), make([]int, len(order))
	for k, old := range order {
		c.Names[k], c.Count[k], to[old] = names[old], count[old], int32(k)
	}
	for i, old := range of {
		of[i] = to[old]
	}
	return c, nil
}

// label returns a column of record i as text, an object or array as it is written. It tells whether it is a text that
// could have been a number.
func (r *Records) label(i int, column string) (text string, quoted bool, err error) {
	err = r.value(i, column, func(v []byte, isJSON bool) (err error) {
		if text = string(v); isJSON && (len(v) == 0 || v[0] != '[' && v[0] != '{') {
			quoted = len(v) > 0 && v[0] == '"'
			text, err = plain(v)
		}
		return errors.Wrapf(err, "column %q", column)
	})
	return text, quoted, err
}

// Class is a value of a column and how many records have it.
type Class struct {
	Name  string
	Count int
}

// Balance is a report of how even classes are.
type Balance []Class

// Balance counts the classes among rows, the largest first, equal ones in the order of their names. A class that no row
// has is in it with 0. A number that is no record's is an error.
func (c *Classes) Balance(rows []int) (Balance, error) {
	b := make(Balance, len(c.Names))
	for k, name := range c.Names {
		b[k].Name = name
	}
	for _, i := range rows {
		if i < 0 || i >= len(c.Of) {
			return nil, errors.Errorf("record: row %d, want from 0 to %d", i, len(c.Of)-1)
		}
		b[c.Of[i]].Count++
	}
	sort.SliceStable(b, func(i, j int) bool { return b[i].Count > b[j].Count })
	return b, nil
}

// String is a line for the whole and one for each class, the 20 largest.
func (b Balance) String() string {
	total := 0
	for _, c := range b {
		total += c.Count
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d records, %d classes", total, len(b))
	if n := len(b); n > 1 && b[n-1].Count > 0 {
		fmt.Fprintf(&s, ", the largest %.1f times the smallest", float64(b[0].Count)/float64(b[n-1].Count))
	}
	for i, c := range b {
		if i == 20 {
			fmt.Fprintf(&s, "\n  … %d more, of at most %d records", len(b)-i, c.Count)
			break
		}
		share := 0.0
		if total > 0 {
			share = 100 * float64(c.Count) / float64(total)
		}
		fmt.Fprintf(&s, "\n  %-20s %7d  %5.1f %%", strconv.Quote(c.Name), c.Count, share)
	}
	return s.String()
}

// Absent tells, a line each, which classes are too small to be in each part. A model learns from, and is judged on,
// what its part has.
func (c *Classes) Absent(parts ...[]int) ([]string, error) {
	var lines []string
	for p, rows := range parts {
		b, err := c.Balance(rows)
		if err != nil {
			return nil, err
		}
		for _, class := range b {
			if len(rows) > 0 && class.Count == 0 {
				lines = append(lines, fmt.Sprintf("class %q has no record in part %d of %d", class.Name, p+1, len(parts)))
			}
		}
	}
	return lines, nil
}
