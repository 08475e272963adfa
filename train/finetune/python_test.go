package finetune

import (
	"encoding/json"
	"testing"
)

// TestFromPython: each text is what Python prints of the value that the JSON beside it has.
func TestFromPython(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`['a', "it's", 'q"q', 'x\'y', '\n\t\\', '\xe9\u4f60']`, `["a","it's","q\"q","x'y","\n\t\\","é你"]`},
		{`[(0, 5, 'PER'), (6, 9, 'LOC')]`, `[[0,5,"PER"],[6,9,"LOC"]]`},
		{`[{'a': None, 'b': [True, False], 'c': {}}, -1.5e3, (1,), []]`, `[{"a":null,"b":[true,false],"c":{}},-1.5e3,[1],[]]`},
		{"[{'a': 1}\n {'a': 2}]", `[{"a":1},{"a":2}]`},
		{"[1. 2. nan]", `[1.0,2.0,null]`},
		{"['a' 'b']", `["a","b"]`},
		{"[1, 2", ""}, {"['a", ""}, {"[word]", ""}, {"[{1: 2}]", ""}, {"[1]]", ""}, {"[1} ", ""}, {"{'a', 'b'}", ""}, {"[inf]", ""}, {"[0x10]", ""},
	} {
		got, err := fromPython(c.text)
		if (err == nil) != (c.want != "") || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.text, got, err, c.want)
		}
	}
}

// TestPythonSpans: spans may be tuples in a table.
func TestPythonSpans(t *testing.T) {
	r := openRecords(t, write(t, "a.csv", "text,label", `in the,"[(0, 2, 'A'), (3, 6, 'B')]"`, `in,[]`, `in,`, `in,"[{'start': 0, 'end': 2, 'label': 'A'}]"`))
	s := &Setup{Settings: Settings{Data: DataSettings{Text: "text", Label: []string{"label"}}}}
	for row, want := range []string{`[{"start":0,"end":2,"label":"A"},{"start":3,"end":6,"label":"B"}]`, `[]`, `null`, `[{"start":0,"end":2,"label":"A"}]`} {
		_, spans, err := new(tag).read(s, r, row)
		got, _ := json.Marshal(spans)
		if err != nil || string(got) != want {
			t.Errorf("record %d: %s, %v; want %s", row, got, err, want)
		}
	}
}

// FuzzPython reads what Python might have printed.
func FuzzPython(f *testing.F) {
	for _, s := range []string{"['a', 1]", "[(0, 1, 'A')]", "[{'a': None}\n {}]", "[1. 2.]", "['\\x41", "((((", "[,]", "[1,,2]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := fromPython(text); err == nil && !json.Valid(b) {
			t.Errorf("%q: %q is no JSON", text, b)
		}
	})
}
