package finetune

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/pkg/errors"
)

// readLabels reads the labels of a record: a list in JSON or as Python prints it, or labels separated by |, ; or
// commas.
func readLabels(r *record.Records, row int, column string) ([]string, error) {
	raw, err := r.Raw(row, column)
	if err != nil {
		return nil, err
	}
	text := string(raw)
	if !strings.HasPrefix(text, "[") {
		if text, err = r.Text(row, column); err != nil {
			return nil, err
		}
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		labels, err := listed(text)
		return labels, errors.Wrapf(err, "labels %.60q", text)
	}
	var labels []string
	for _, l := range strings.FieldsFunc(text, func(c rune) bool { return c == '|' || c == ';' || c == ',' }) {
		if l = strings.TrimSpace(l); l != "" {
			labels = append(labels, l)
		}
	}
	return labels, nil
}

// listed reads a list of texts and numbers, [1, "a"] in JSON or ['a', 2] as Python and NumPy print it. Labels without
// quotes, [a b, c], are separated by commas, and numbers by white space as well.
func listed(text string) (labels []string, err error) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text), &list) == nil {
		for _, v := range list {
			label := string(v)
			if v[0] == '"' {
				err = json.Unmarshal(v, &label)
			} else if v[0] == '[' || v[0] == '{' || label == "null" {
				err = errors.Errorf("%s in the list; want texts or numbers", label)
			}
			if err != nil {
				return nil, err
			}
			labels = append(labels, label)
		}
		return labels, nil
	}
	rest, ok := strings.CutSuffix(text[1:], "]")
	if !ok {
		return nil, errors.New("the list is not closed")
	}
	for {
		if rest = strings.TrimLeft(rest, ", \t\r\n"); rest == "" {
			return labels, nil
		}
		var label string
		if rest[0] == '\'' || rest[0] == '"' {
			if label, rest, err = unquoted(rest); err != nil {
				return nil, err
			}
			labels = append(labels, label)
			continue
		}
		label, rest, _ = strings.Cut(rest, ",")
		label = strings.TrimSpace(label)
		if label == "None" || strings.ContainsAny(label, `[]{}()'"`) {
			return nil, errors.Errorf("%.40q in the list; want texts or numbers", label)
		}
		if words := strings.Fields(label); numbers(words) {
			labels = append(labels, words...)
		} else {
			labels = append(labels, label)
		}
	}
}

func numbers(words []string) bool {
	for _, w := range words {
		if _, err := strconv.ParseFloat(w, 64); err != nil {
			return false
		}
	}
	return true
}

// unquoted reads a text in quotes as Python writes it.
func unquoted(text string) (label, rest string, err error) {
	quote := text[0]
	var b strings.Builder
	for rest = text[1:]; rest != ""; {
		if rest[0] == quote {
			return b.String(), rest[1:], nil
		}
		if strings.HasPrefix(rest, `\"`) || strings.HasPrefix(rest, `\'`) {
			rest = rest[1:]
		}
		c, _, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil { // a backslash that escapes nothing stays
			c, tail = rune(rest[0]), rest[1:]
		}
		b.WriteRune(c)
		rest = tail
	}
	return "", "", errors.New("a quote is not closed")
}
