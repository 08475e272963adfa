package record

import (
	"fmt"
	"strconv"
	"strings"
)

// Labels are the distinct labels of records. The number 1, the text 1 and the number 1.0 are one label. The zero value
// has none.
type Labels struct {
	Names []string   // as written, or as [Label] has it where a label is written in several ways
	forms [][]string // the ways in which each label is written
	form  map[string]int32
	label map[string]int32
}

// Label returns what is the same for all ways of writing a label. A whole number loses the fraction of zeros that it
// may have, as in 1.0; any other text is as it is.
func Label(text string) string {
	whole, zeros, ok := strings.Cut(text, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); !ok || err != nil || strconv.FormatInt(n, 10) != whole || strings.Trim(zeros, "0") != "" {
		return text
	}
	return whole
}

// Add notes a label and returns its place in Names. A text is quoted where the file tells texts from numbers.
func (l *Labels) Add(text string, quoted bool) int32 {
	form := text
	if quoted {
		form = strconv.Quote(text)
	}
	if k, ok := l.form[form]; ok {
		return k
	}
	if l.form == nil {
		l.form, l.label = map[string]int32{}, map[string]int32{}
	}
	label := Label(text)
	k, ok := l.label[label]
	if !ok {
		k = int32(len(l.Names))
		l.label[label], l.Names, l.forms = k, append(l.Names, text), append(l.forms, nil)
	}
	if l.Names[k] != text {
		l.Names[k] = label
	}
	l.form[form], l.forms[k] = k, append(l.forms[k], form)
	return k
}

// Alike says which labels were written in several ways, in one line, or "" where none was.
func (l *Labels) Alike() string {
	const most = 3
	n, examples := 0, []string{}
	for k, f := range l.forms {
		if len(f) < 2 || l.Names[k] == "" {
			continue
		}
		if n++; n <= most {
			examples = append(examples, strings.Join(f, " = "))
		}
	}
	if n == 0 {
		return ""
	}
	more := ""
	if n > most {
		more = fmt.Sprintf(" and %d more", n-most)
	}
	return fmt.Sprintf("labels that are written in several ways are one: %s%s", strings.Join(examples, ", "), more)
}
