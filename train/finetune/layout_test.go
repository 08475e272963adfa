package finetune_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/train/finetune"
)

// records opens a file of the given text.
func records(t *testing.T, name, text string) *record.Records {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := record.Open(path, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestLayouts: what people's files call their columns, and the chat of each file's second record.
func TestLayouts(t *testing.T) {
	ask := []generate.Message{{Role: "user", Content: "Q"}, {Role: "assistant", Content: "A"}}
	about := []generate.Message{{Role: "user", Content: "Q\n\nI"}, {Role: "assistant", Content: "A"}}
	told := append([]generate.Message{{Role: "system", Content: "S"}}, ask...)
	called := []generate.Message{ask[0], {Role: "assistant", Given: `{"tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":null}}}],"content":null,"role":"assistant"}`},
		{Role: "tool", Given: `{"role":"tool","name":"f","content":""}`}, ask[1]}
	for _, c := range []struct {
		name, file, text string
		want             []generate.Message
	}{
		{"OpenAI", "a.jsonl", "{\"messages\": []}\n" + `{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "id": 3}`, told},
		{"ShareGPT", "a.json", `[{"conversations": []}, {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "system": "S"}]`, told},
		{"messages in CSV", "a.csv", "messages\n[]\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"Q\"\"},{\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"A\"\"}]\"\n", ask},
		{"Alpaca", "a.json", `[{"instruction": "x", "input": "", "output": "y"}, {"instruction": "Q", "input": "I", "output": "A"}]`, about},
		{"Alpaca without input", "a.jsonl", "{\"instruction\": \"x\", \"output\": \"y\"}\n{\"instruction\": \"Q\", \"output\": \"A\"}\n", ask},
		{"Alpaca with an empty input", "a.tsv", "instruction\tinput\toutput\nx\ty\tz\nQ\t\tA\n", ask},
		{"Dolly", "a.jsonl", "{\"instruction\":\"x\",\"context\":\"\",\"response\":\"y\",\"category\":\"c\"}\n{\"instruction\":\"Q\",\"context\":\"I\",\"response\":\"A\",\"category\":\"c\"}\n", about},
		{"parts", "a.jsonl", "{\"messages\": []}\n" + `{"messages": [{"role": "system", "content": ["S"]}, {"role": "user", "content": [{"type": "text", "text": "Q", "image": null}]}, ` +
			`{"role": "assistant", "content": [{"type": "output_text", "text": "A"}, {"text": ""}]}]}`, told},
		{"prompt and completion of messages", "a.jsonl", "{\"prompt\": []}\n" + `{"prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "Q"}]}], "completion": [{"role": "assistant", "content": "A"}]}`, told},
		{"a prompt of messages, an answer in text", "a.json", `{"data": [{}, {"prompt": [{"from": "human", "value": "Q"}], "completion": "A"}]}`, ask},
		{"an answer of messages", "a.json", `[{}, {"question": "Q", "answer": [{"role": "gpt", "content": "A"}]}]`, ask},
		{"calls of tools", "a.jsonl", "{\"messages\": []}\n" + `{"messages": [{"role": "user", "content": "Q"}, {"tool_calls": [{"function": {"name": "f", "arguments": {"b": 1, "a": NaN}}}], "content": null, "role": "assistant"}, ` +
			`{"role": "tool", "name": "f", "content": [{"type": "text", "text": ""}]}, {"role": "assistant", "content": "A"}]}`, called},
		{"messages as Python prints them", "a.csv", "messages\n[]\n\"[{'role': 'user', 'content': 'Q'}, {'content': 'A', 'role': \"\"assistant\"\"}]\"\n", ask},
		{"messages as NumPy prints them", "a.tsv", "messages\n[]\n[{'from': 'human', 'value': 'Q'} {'from': 'gpt', 'value': 'A'}]\n", ask},
		{"messages in a text", "a.jsonl", "{\"messages\": []}\n" + `{"messages": "[{\"role\": \"user\", \"content\": \"Q\"}, {\"role\": \"assistant\", \"content\": \"A\"}]"}`, ask},
		{"calls as Python prints them", "a.csv", "messages\n[]\n" + `"[{'role': 'user', 'content': 'Q'}, {'tool_calls': [{'function': {'name': 'f', 'arguments': {'b': 1, 'a': None}}}], 'content': None, 'role': 'assistant'}, ` +
			`{'role': 'tool', 'name': 'f', 'content': ''}, {'role': 'assistant', 'content': 'A'}]"` + "\n", called},
		{"prompt and completion", "a.csv", "id,prompt,completion\n1,x,y\n2,Q,A\n", ask},
		{"prompt and response, a system", "a.csv", "system,prompt,response\n,x,y\nS,Q,A\n", told},
		{"question and answer", "a.csv", "answer,question\ny,x\nA,Q\n", ask},
	} {
		r := records(t, c.file, c.text)
		l, err := finetune.DetectLayout(r.Columns())
		if err == nil {
			err = l.Check(r)
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, err := l.Chat(r, 1); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

// TestLayoutOwn: columns of any names.
func TestLayoutOwn(t *testing.T) {
	r := records(t, "a.tsv", "zh\ten\n你好\thello\n")
	l := finetune.Layout{Prompt: "en", Answer: "zh"}
	got, err := l.Chat(r, 0)
	want := []generate.Message{{Role: "user", Content: "hello"}, {Role: "assistant", Content: "你好"}}
	if err := l.Check(r); err != nil {
		t.Error(err)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for wish, l := range map[string]finetune.Layout{
		`no column "de"; there are zh, en`: {Prompt: "en", Answer: "de"},
		"want the column of messages":      {Prompt: "en"},
		"or those of the prompt":           {Messages: "zh", Prompt: "en", Answer: "zh"},
	} {
		if err := l.Check(r); err == nil || !strings.Contains(err.Error(), wish) {
			t.Errorf("%+v: error %v, want one with %q", l, err, wish)
		}
	}
	if _, err := finetune.DetectLayout(r.Columns()); err == nil || !strings.Contains(err.Error(), "columns zh, en: want messages") {
		t.Errorf("columns of no known layout: %v", err)
	}
}

// TestChatErrors: each has the file, the line and the message.
func TestChatErrors(t *testing.T) {
	for _, c := range []struct{ messages, want string }{
		{`[]`, "0 messages, 0 of them of the assistant"},
		{`null`, "0 messages"},
		{`"text"`, "want JSON messages"},
		{`[{"role": "user", "content": "Q"}]`, "1 messages, 0 of them"},
		{`[{"role": "assistant", "content": "A"}]`, "another before it"},
		{`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": " \n"}]`, "message 2 (assistant) is empty"},
		{`[{"from": "human", "value": ""}, {"from": "gpt", "value": "A"}]`, "message 1 (user) is empty"},
		{`[{"role": "user", "content": [{"type": "text", "text": "Q"}, {"type": "image"}]}]`, `message 1: part 2: it is of type "image"; only texts are read`},
		{`[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]`, `type "image_url"`},
		{`[{"role": "user", "content": [{"type": "text"}]}]`, "message 1: part 1: it has no text"},
		{`[{"role": "user", "content": [7]}]`, "message 1: part 1: want a text, or an object"},
		{`[{"role": "user", "content": 7}]`, "want a content that is a text, or a list of parts"},
		{`["Q", "A"]`, `message 1: want an object with "role"`},
		{`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": null}]`, `message 2: want "role" and "content"`},
		{`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": null, "tool_calls": []}]`, `message 2: want "role" and "content"`},
		{`[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "", "name": "x"}]`, `message 2 (assistant) is empty`},
		{`[{"role": "user", "content": null}]`, `message 1: want "role" and "content"`},
		{`[{"role": "user", "value": "Q"}]`, `message 1: want "role" and "content"`},
	} {
		r := records(t, "a.jsonl", "\n\n{\"messages\": "+c.messages+"}\n")
		_, err := finetune.Layout{Messages: "messages"}.Chat(r, 0)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "a.jsonl:3: ") {
			t.Errorf("%s: error %v, want one with a.jsonl:3 and %q", c.messages, err, c.want)
		}
	}
	r := records(t, "a.csv", "prompt,completion\nQ,\n")
	if _, err := (finetune.Layout{Prompt: "prompt", Answer: "completion"}).Chat(r, 0); err == nil || !strings.Contains(err.Error(), "a.csv:2: message 2 (assistant) is empty") {
		t.Errorf("an empty answer: %v", err)
	}
}

// TestLayoutTemplate: what the user says is made of columns.
func TestLayoutTemplate(t *testing.T) {
	r := records(t, "a.csv", "en,to,zh\nhello {to},Chinese,你好\nno answer,Chinese,\n")
	for _, c := range []struct{ template, want string }{
		{"Translate into Chinese: {en}", "Translate into Chinese: hello {to}"},
		{"{en}", "hello {to}"},
		{"{en}{to}\n{en}", "hello {to}Chinese\nhello {to}"},
		{"{{{to}}} {{to}}", "{Chinese} {to}"},
	} {
		l := finetune.Layout{Template: c.template, Answer: "zh"}
		if err := l.Check(r); err != nil {
			t.Errorf("%s: %v", c.template, err)
		}
		want := []generate.Message{{Role: "user", Content: c.want}, {Role: "assistant", Content: "你好"}}
		if got, err := l.Chat(r, 0); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v; want %q", c.template, got, err, want)
		}
		if got, err := l.Ask(r, 0); err != nil || !reflect.DeepEqual(got, want[:1]) {
			t.Errorf("%s: ask %q, %v; want %q", c.template, got, err, want[:1])
		}
		if got, err := l.Ask(r, 1); err != nil || len(got) != 1 {
			t.Errorf("%s: ask without an answer: %q, %v", c.template, got, err)
		}
	}
	for wish, l := range map[string]finetune.Layout{
		`no column "de"`:                 {Template: "{de}", Answer: "zh"},
		"has no column; want one in":     {Template: "{{en}}", Answer: "zh"},
		"a } that closes nothing":        {Template: "{en}}", Answer: "zh"},
		"a { that nothing closes":        {Template: "{en} {to", Answer: "zh"},
		"want the name of a column in":   {Template: "{}", Answer: "zh"},
		"a prompt's template and the an": {Template: "{en}", Prompt: "en", Answer: "zh"},
		"want the column of messages":    {Template: "{en}"},
		"want the column of messages, o": {Template: "{en}", Messages: "en"},
	} {
		if err := l.Check(r); err == nil || !strings.Contains(err.Error(), wish) {
			t.Errorf("%+v: error %v, want one with %q", l, err, wish)
		}
	}
}
