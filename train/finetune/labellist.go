package finetune

import (
	"encoding/json"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/pkg/errors"
)

// readLabels reads the labels of a record: a list in JSON or as Python prints it, or labels separated by |, ; or
// commas.
func readLabels(r *record.Records, row int, column string) ([]string, error) {
	raw, err := rawList(r, row, column)
	if err != nil {
		return nil, err
	}
	text := string(raw)
	if strings.HasPrefix(text, "[") {
		labels, err := listed(text)
		return labels, errors.Wrapf(err, "labels %.60q", text)
	}
	if text, err = r.Text(row, column); err != nil {
		return nil, err
	}
	return separated(text, "|;,"), nil
}

// separated returns the labels of a text between separators.
func separated(text, separators string) (labels []string) {
	for _, l := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(separators, c) }) {
		if l = strings.TrimSpace(l); l != "" {
			labels = append(labels, l)
		}
	}
	return labels
}

// listed reads a list of texts and numbers in JSON, or of labels without quotes: [hard news, sport].
func listed(text string) (labels []string, err error) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text), &list) != nil {
		inner, ok := strings.CutSuffix(text[1:], "]")
		if !ok {
			return nil, errors.New("the list is not closed")
		}
		if strings.ContainsAny(inner, `[]{}()'"`) {
			return nil, errors.New("want texts or numbers in the list, each in the same quotes")
		}
		return separated(inner, ","), nil
	}
	for _, v := range list {
		label := string(v)
		switch {
		case v[0] == '"':
			err = json.Unmarshal(v, &label)
		case v[0] == '[' || v[0] == '{' || label == "null":
			err = errors.Errorf("%s in the list; want texts or numbers", label)
		}
		if err != nil {
			return nil, err
		}
		labels = append(labels, label)
	}
	return labels, nil
}
