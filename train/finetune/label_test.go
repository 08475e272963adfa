package finetune

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestReadLabels has the lists in which people write labels.
func TestReadLabels(t *testing.T) {
	for _, c := range []struct{ file, cell, want string }{
		{"a.jsonl", `["a", "b c"]`, "a|b c"},
		{"a.jsonl", `[1, 2.0, true, "3"]`, "1|2.0|true|3"},
		{"a.jsonl", `[]`, ""},
		{"a.jsonl", `null`, ""},
		{"a.jsonl", `"[\"a\", \"b\"]"`, "a|b"},
		{"a.jsonl", `"['a', 'b']"`, "a|b"},
		{"a.jsonl", `"[1, 2]"`, "1|2"},
		{"a.jsonl", `"a|b; c,d"`, "a|b|c|d"},
		{"a.jsonl", `7`, "7"},
		{"a.csv", `['a', "it's", 'x\'y', 'é\xe9\d', 'a, b|c']`, `a|it's|x'y|éé\d|a, b|c`},
		{"a.csv", `["a", "b"]`, "a|b"},
		{"a.csv", ` [1, 2] `, "1|2"},
		{"a.csv", "[1 2\n 3]", "1|2|3"},
		{"a.csv", "['a' 'b']", "a|b"},
		{"a.csv", "[hard news, sport]", "hard news|sport"},
		{"a.csv", "[]", ""},
		{"a.csv", "[1. 0.5 2.]", "1.0|0.5|2.0"},
		{"a.csv", "['a', 2, True,]", "a|2|true"},
		{"a.csv", "['a', 'b'", "!the list is not closed"},
		{"a.csv", "['a', 'b]", "!want texts or numbers in the list"},
		{"a.csv", "[['a'], 'b']", "!want texts or numbers"},
		{"a.csv", "[None]", "!null in the list; want texts or numbers"},
		{"a.jsonl", `[["a"]]`, "!want texts or numbers"},
		{"a.jsonl", `["a", null]`, "!want texts or numbers"},
		{"a.jsonl", `{"a": 1}`, "!an object or array"},
	} {
		line := `{"l": ` + c.cell + "}"
		if c.file == "a.csv" {
			line = "l\n\"" + strings.ReplaceAll(c.cell, `"`, `""`) + `"`
		}
		got, err := readLabels(openRecords(t, write(t, c.file, line)), 0, "l")
		if want, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, %v; want the error %q", c.cell, got, err, want)
			}
		} else if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s: %q, %v; want %q", c.cell, got, err, c.want)
		}
	}
}

// TestOneLabel: 1, "1" and 1.0 are one class, in training, in held-out files and of a run, and that is said once.
func TestOneLabel(t *testing.T) {
	for _, c := range []struct {
		task  string
		forms [2][]string
		want  []string
		said  string
	}{
		{"classify", [2][]string{{`1`, `"1"`, `1.0`}, {`0`, `0.00`, `"0.0"`}}, []string{"0", "1"}, `1 = "1" = 1.0`},
		{"classify", [2][]string{{`"1.0"`}, {`"0.0"`}}, []string{"0.0", "1.0"}, ""},
		{"classify", [2][]string{{`"01"`}, {`"1"`}}, []string{"01", "1"}, ""},
		{"classify", [2][]string{{`true`, `"true"`}, {`false`}}, []string{"false", "true"}, `true = "true"`},
		{"multilabel", [2][]string{{`[1]`, `["1"]`, `"[1.0]"`}, {`[0]`, `0.0`}}, []string{"0", "1"}, "1 = 1.0"},
	} {
		var lines []string
		for i := range 60 {
			forms := c.forms[i%2]
			lines = append(lines, fmt.Sprintf(`{"text": "text %d of %d", "label": %s}`, i, i%2, forms[i/2%len(forms)]))
		}
		s := Settings{Task: c.task, Model: tiny, Data: DataSettings{Path: write(t, "a.jsonl", lines...), Text: "text", Label: []string{"label"}}}
		s.Data.ValPath = write(t, "val.jsonl", strings.Replace(lines[0], "text 0", "a new", 1), strings.NewReplacer("text 1", "a new", "0.0", "0", `"label": 0`, `"label": 0.000`).Replace(lines[1]))
		j := open(t, s)
		if got := j.Settings.Data.Classes; !slices.Equal(got, c.want) {
			t.Errorf("%v: classes %q, want %q", c.forms, got, c.want)
		}
		said := strings.Join(j.Counts.Warnings, "\n")
		if c.said != "" && strings.Count(said, c.said) != 1 || c.said == "" && strings.Contains(said, "in several ways") {
			t.Errorf("%v: warnings %q, want one with %q", c.forms, said, c.said)
		}
	}
}
