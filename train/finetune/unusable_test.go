package finetune

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph/plan"
)

// unusable are, by task, records that nothing can be learned from, and why.
var unusable = map[string][][2]string{
	"classify": {
		{`{"text": "in", "label": ""}`, "an empty label"}, {`{"text": "in"}`, "an empty label"}, {`{"text": "in", "label": null}`, "an empty label"},
		{`{"text": "in", "label": NaN}`, "an empty label"}, {`{"text": ["in"], "label": "a"}`, `column "text": an object or array`},
		{`{"text": "in", "label": ["a"]}`, `column "label": an object or array`},
	},
	"regress": {
		{`{"text": "in", "label": "many"}`, `column "label" has "many"; want a number`}, {`{"text": "in", "label": Infinity}`, "want a number"},
		{`{"text": "in", "label": 1e999}`, "want a number"}, {`{"text": "in"}`, "want a number"}, {`{"text": {}, "label": 1}`, `column "text": an object or array`},
	},
	"multilabel": {
		{`{"text": "in", "label": {"a": 1}}`, `column "label": an object or array`}, {`{"text": "in", "label": [["a"]]}`, "want texts or numbers"},
		{`{"text": "in", "label": "['a'"}`, "the list is not closed"}, {`{"text": [], "label": "a"}`, `column "text": an object or array`},
	},
	"tag": {
		{`{"text": "in the end", "label": [[0, 4, "A"], [3, 6, "B"]]}`, "overlap"}, {`{"text": "in", "label": [[0, 4, "A"]]}`, "the text has 2 characters"},
		{`{"text": "in", "label": "A"}`, "want a list"}, {`{"text": 1, "label": [[0]]}`, "want start, end and label"},
	},
	"lm": {{`{"text": {"a": 1}}`, `column "text": an object or array`}, {`{"text": ["in"]}`, "an object or array"}},
	"chat": {
		{`{"messages": []}`, "0 messages"}, {`{}`, "want JSON messages"}, {`{"messages": "in"}`, "want JSON messages"},
		{`{"messages": [{"role": "user", "content": "in"}]}`, "want at least one answer"},
		{`{"messages": [{"role": "assistant", "content": "in"}, {"role": "user", "content": "in"}]}`, "and another before it"},
		{`{"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "in"}]}`, "message 1 (user) is empty"},
		{`{"messages": [{"role": "user", "content": [{"type": "image"}]}, {"role": "assistant", "content": "in"}]}`, `message 1: part 1: it is of type "image"`},
		{`{"messages": [{"role": "user", "content": "in<|im_end|>"}, {"role": "assistant", "content": "in"}]}`, "special token"},
	},
}

// usable is record i of a task, from which something can be learned.
func usable(task string, i int) string {
	text := []string{"number ", " is", [2]string{" thin", " an inn"}[i%2]}
	label := map[string]any{"classify": [2]string{"a", "b"}[i%2], "regress": i % 2, "multilabel": [2]string{"a", "a|b"}[i%2], "tag": []any{[]any{0, 3 + i%2, "A"}}}[task]
	record := map[string]any{"text": strings.Join(text, string(rune('a'+i%26))+string(rune('a'+i/26))), "label": label}
	if task == "chat" {
		record = map[string]any{"messages": []map[string]any{{"role": "user", "content": record["text"]}, {"role": "assistant", "content": "in"}}}
	}
	b, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestUnusable: records that nothing can be learned from are left out of each file, counted and named. The setting
// strict refuses them, and so does a file that has no others.
func TestUnusable(t *testing.T) {
	for task, bad := range unusable {
		var good []string
		for i := range 60 {
			good = append(good, usable(task, i))
		}
		for _, c := range bad {
			s := Settings{Task: task, Model: tiny}
			s.Data.Path = write(t, "bad.jsonl", slices.Concat(good[:10], []string{c[0]}, good[10:40])...)
			other := strings.ReplaceAll(c[0], `"in`, `"on`) // as duplicates are left out first
			third := strings.ReplaceAll(c[0], `"in`, `"day`)
			s.Data.ValPath = write(t, "val.jsonl", slices.Concat(good[40:50], []string{"", other})...)
			j := open(t, s)
			said := strings.Join(j.Counts.Warnings, "\n")
			if n := j.Counts; n.Unusable.Count != 2 || n.Train != 40 || n.Val != 10 || !strings.Contains(said, "2 records are left out") {
				t.Errorf("%s %s: %+v", task, c[0], n)
			}
			for _, want := range []string{"bad.jsonl:11: ", "val.jsonl:12: ", c[1]} {
				if !strings.Contains(said, want) || strings.Count(said, "bad.jsonl") != 1 {
					t.Errorf("%s %s: %q, want %q", task, c[0], said, want)
				}
			}
			refuse := func(what string, wants ...string) {
				t.Helper()
				_, err := Open(s)
				for _, want := range wants {
					if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%s %s: %s: %v, want %q", task, c[0], what, err, want)
					}
				}
			}
			s.Data.Strict = true
			refuse("strict", "bad.jsonl:11: ", c[1])
			s.Data.Strict = false
			if s.Data.Path, s.Data.ValPath = write(t, "all.jsonl", c[0], other, third), ""; c[0] != "{}" && c[0] != `{"text": "in"}` { // they lack a column
				refuse("all", "all.jsonl:1: ", c[1])
			}
		}
	}
}

// TestUnusableCount: the first few are named, and the result has the count. Evaluation leaves such records out as well.
func TestUnusableCount(t *testing.T) {
	var lines []string
	for i := range 60 {
		lines = append(lines, usable("classify", i))
		if i%5 == 0 {
			lines = append(lines, unusable["classify"][i/5%6][0])
		}
	}
	s := Settings{Task: "classify", Model: tiny, Method: HeadOnly, Data: DataSettings{Path: write(t, "a.jsonl", lines...)}}
	j, out := open(t, s), filepath.Join(t.TempDir(), "run")
	if said := j.Counts.Unusable.String(); strings.Count(said, "a.jsonl:") != 3 || !strings.HasSuffix(said, "; and 9 more") {
		t.Errorf("said %q, want three places and 9 more", said)
	}
	r, err := j.Fit(Options{Out: out, Executor: plan.CPU(1)})
	if err != nil || r.Unusable != 12 || r.TrainRows+r.ValRows != 60 {
		t.Fatalf("%+v, %v; want 12 records left out and 60 used", r, err)
	}
	p, err := OpenRun(out, plan.CPU(1))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	records := openRecords(t, s.Data.Path)
	if m, _, err := p.Evaluate(records); err != nil || p.Unusable.Count != 12 || records.Len() != 60 || !(m["accuracy"] >= 0) {
		t.Errorf("%v, %v; %+v left out of %d", m, err, p.Unusable, records.Len())
	}
	if m, _, err := p.Evaluate(openRecords(t, write(t, "b.jsonl", lines[1]))); err == nil || !strings.Contains(err.Error(), "b.jsonl:1: an empty label") {
		t.Errorf("measured on nothing: %v, %v", m, err)
	}
	p.Settings.Data.Strict = true
	if m, _, err := p.Evaluate(openRecords(t, s.Data.Path)); err == nil || !strings.Contains(err.Error(), "a.jsonl:2: an empty label") {
		t.Errorf("strict: %v, %v", m, err)
	}
}

// TestPredictUnusable: each text and record has an answer, which says why there is none where a text leaves no room or
// there is no text. With the setting strict that is an error.
func TestPredictUnusable(t *testing.T) {
	long := strings.Repeat("long ", 400)
	r := openRecords(t, write(t, "a.jsonl", `{"text":"in"}`, `{"text":"`+long+`"}`, `{"text":["x"]}`, `{"text":"on"}`))
	for _, task := range []string{"chat", "lm"} {
		s := Settings{Task: task, Model: tiny, Data: DataSettings{Text: "text"}}
		p, err := OpenBase(s, plan.CPU(1))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		answers, err := p.PredictColumn(r, "text", r.Rows())
		if err != nil || len(answers) != 4 {
			t.Fatalf("%s: %v, %v", task, answers, err)
		}
		for i, want := range []string{"", "a.jsonl:2: a prompt of ", `a.jsonl:3: column "text": an object or array`, ""} {
			if a := answers[i]; (a.Text != nil) != (want == "") || !strings.Contains(a.Error, want) {
				t.Errorf("%s: answer %d is %v, want %q", task, i, a, want)
			}
		}
		if a, err := p.PredictColumn(r, "none", r.Rows()); err == nil || !strings.Contains(err.Error(), `"none": no such column`) {
			t.Errorf("%s: no column: %v, %v", task, a, err)
		}
		p.Settings.Data.Strict = true
		for row, want := range map[int]string{1: "a prompt of ", 2: `a.jsonl:3: column "text"`} {
			if a, err := p.PredictColumn(r, "text", []int{0, row}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: strict: %v, %v, want %q", task, a, err, want)
			}
		}
	}
}
