package finetune

import (
	"strings"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/gpt/generate"
)

// TestTools: the template sees the tools of each chat with their keys in order, and calls of tools as they were given.
func TestTools(t *testing.T) {
	const template = `{{ tools | tojson if tools else 'none' }};{% for m in messages %}{{ m.role }}:{{ m.content or (m.tool_calls | tojson) }};{% endfor %}`
	const call = `{"role":"assistant","content":"","tool_calls":[{"b":1,"a":2}]}`
	lines := []string{
		`{"messages":[{"role":"user","content":"1"},` + call + `],"tools":[{"name":"f","b":1,"a":{"z":[]}}]}`,
		`{"messages":[{"role":"user","content":"2"},` + call + `],"tools":"[{\"name\":\"g\"}]"}`,
		`{"messages":[{"role":"user","content":"3"},` + call + `],"tools":null}`,
		`{"messages":[{"role":"user","content":"4"},` + call + `],"tools":""}`,
		`{"messages":[{"role":"user","content":"5"},` + call + `],"tools":"no list"}`,
		`{"messages":[{"role":"user","content":"6"},` + call + `],"tools":{"a":1}}`,
	}
	wants := []string{`[{"name": "f", "b": 1, "a": {"z": []}}];user:1;`, `[{"name": "g"}];user:2;`, `none;user:3;`, `none;user:4;`}
	path := write(t, "a.jsonl", lines...)
	j := open(t, Settings{Task: "chat", Model: tiny, Data: DataSettings{Path: path, Context: 256}})
	if said := j.Counts.Unusable.String(); j.Counts.Unusable.Count != 2 || !strings.Contains(said, `a.jsonl:5: column "tools": want a JSON list of tools`) {
		t.Errorf("%d left out: %s", j.Counts.Unusable.Count, said)
	}
	parsed, err := generate.ParseTemplate(template, j.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	j.task.(*chat).template = parsed
	r := openRecords(t, path)
	for row, want := range wants {
		made, err := j.task.make(j.Setup, entry{Records: r, row: row})
		if err != nil || len(made) != 1 {
			t.Fatal(made, err)
		}
		if got := string(j.Tokenizer.Decode(made[0].IDs)); !strings.HasPrefix(got, want+`assistant:[{"b": 1, "a": 2}]`) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestNullContent: a template that refuses null sees an empty text in its place; others see null.
func TestNullContent(t *testing.T) {
	line := `{"messages":[{"role":"user","content":"%s"},{"role":"assistant","content":null,"tool_calls":[{"a":1}]},{"role":"tool","content":"r"},{"role":"assistant","content":"on"}]}`
	var lines []string
	for _, w := range []string{"a", "b", "c", "d"} {
		lines = append(lines, strings.ReplaceAll(line, "%s", w))
	}
	path := write(t, "a.jsonl", lines...)
	j := open(t, Settings{Task: "chat", Model: tiny, Data: DataSettings{Path: path, Context: 256}})
	if j.Counts.Train+j.Counts.Val != 4 {
		t.Errorf("%+v, want 4 chats", j.Counts)
	}
	r := openRecords(t, path)
	for template, want := range map[string]string{`{% for m in messages %}[{{ m.content }}]{% endfor %}`: "[a][None][r][on]", `{% for m in messages %}{{ '[' + m.content + ']' }}{% endfor %}`: "[a][][r][on]"} {
		parsed, err := generate.ParseTemplate(template, j.Tokenizer)
		if err != nil {
			t.Fatal(err)
		}
		j.task.(*chat).template = parsed
		made, err := j.task.make(j.Setup, entry{Records: r})
		if err != nil || len(made) != 1 {
			t.Fatal(made, err)
		}
		if got := string(j.Tokenizer.Decode(made[0].IDs)); !strings.HasPrefix(want, got) || len(got) < len(want)-1 {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
	}
}

// TestManyTurns: the time of a chat is bounded by the context, however many turns it has.
func TestManyTurns(t *testing.T) {
	turn := `,{"role":"user","content":"in"},{"role":"assistant","content":"on"}`
	chat := func(system string, turns int) string {
		return `{"messages":[{"role":"system","content":"` + system + `"}` + strings.Repeat(turn, turns) + `]}`
	}
	start := time.Now()
	j := open(t, Settings{Task: "chat", Model: tiny, Data: DataSettings{Path: write(t, "a.jsonl", chat("a", 20000), chat("b", 1), chat("c", 1), chat("d", 1)), Context: 64}})
	if c := j.Counts; c.Truncated != 1 || c.Train+c.Val != 4 {
		t.Errorf("%+v", c)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("%v for a chat of 40,000 messages", took)
	}
}
