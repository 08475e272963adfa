package jinja

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// golden is the content of the file that testdata/golden.py writes.
type golden struct {
	Special, Vars json.RawMessage
	Chats         map[string]json.RawMessage
	Cases, Rows   []row
}

// row is one rendering by jinja2. It gave Text, or a Python exception with the text Error, or raise_exception with
// the text Raised.
type row struct {
	Template, Chat string
	Text           *string
	Error, Raised  string
}

func readGolden(t testing.TB) golden {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// vars joins JSON objects into the variables of a rendering.
func vars(t testing.TB, objects ...[]byte) map[string]any {
	all := map[string]any{}
	for _, o := range objects {
		m := fromJSON(t, string(o)).(*Map)
		for i, k := range m.keys {
			all[k.(string)] = m.values[i]
		}
	}
	return all
}

func fromJSON(t testing.TB, s string) any {
	v, err := ReadJSON([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func clock() time.Time { return time.Date(2024, 7, 6, 5, 4, 3, 0, time.UTC) }

func render(name, text string, v map[string]any) (string, error) {
	return renderWith(maxFuel, name, text, v)
}

func renderWith(fuel int, name, text string, v map[string]any) (string, error) {
	t, err := Parse(name, text)
	if err != nil {
		return "", err
	}
	t.Now, t.fuel = clock, fuel
	return t.Render(v)
}

func readTemplate(t testing.TB, name string) string {
	text, err := os.ReadFile(filepath.Join("testdata", "templates", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// check compares a rendering with jinja2's. It compares the texts, or wants an error where jinja2 has one. Where the
// template raised the error it compares the error's text.
func check(t *testing.T, got string, err error, want row) {
	t.Helper()
	switch {
	case want.Text == nil && err == nil:
		t.Errorf("got %q, want an error like %q", got, want.Error+want.Raised)
	case want.Text == nil && !strings.HasSuffix(err.Error(), want.Raised):
		t.Errorf("got the error %v, want one that ends in %q", err, want.Raised)
	case want.Text != nil && err != nil:
		t.Errorf("got the error %v, want %q", err, *want.Text)
	case want.Text != nil && got != *want.Text:
		t.Errorf("got\n%q, want\n%q", got, *want.Text)
	}
}

func TestPublishedFormats(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Cases {
		t.Run(c.Template+"/"+c.Chat, func(t *testing.T) {
			v := vars(t, []byte(`{"tools": null, "documents": null}`), g.Chats[c.Chat], g.Special)
			got, err := render(c.Template, readTemplate(t, c.Template), v)
			check(t, got, err, c)
		})
	}
}

func TestConstructs(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Rows {
		t.Run(c.Template, func(t *testing.T) {
			got, err := render("row", c.Template, vars(t, g.Vars))
			check(t, got, err, c)
		})
	}
}

// TestSmolLM2 renders the prompts of the real model as transformers did.
func TestSmolLM2(t *testing.T) {
	dir := os.Getenv("CETO_DATA")
	if dir == "" {
		t.Skip("CETO_DATA is not set: it names the folder with smollm2/expected.jsonl")
	}
	f, err := os.Open(filepath.Join(dir, "smollm2", "expected.jsonl"))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	template := readTemplate(t, "smollm2.jinja")
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	chats := 0
	for lines.Scan() {
		var row struct {
			Kind, Text string
			Turns      []string
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Kind != "chat" {
			continue
		}
		chats++
		messages := []map[string]any{}
		for i, turn := range row.Turns {
			messages = append(messages, map[string]any{"role": []string{"user", "assistant"}[i%2], "content": turn})
		}
		got, err := render("smollm2", template, map[string]any{"messages": messages, "add_generation_prompt": true})
		if err != nil || got != row.Text {
			t.Errorf("turns %q: got %q, %v, want %q", row.Turns, got, err, row.Text)
		}
	}
	if chats == 0 || lines.Err() != nil {
		t.Errorf("%d chat lines, %v: want some", chats, lines.Err())
	}
}

// TestConcurrent renders one template in several goroutines, for the race detector.
func TestConcurrent(t *testing.T) {
	template, err := Parse("shared", "{% macro f(x) %}<{{ x }}>{% endmacro %}{% for i in range(4) if i is odd %}{{ f(i) }}{% endfor %}{{ v }}")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			got, err := template.Render(map[string]any{"v": i})
			if want := fmt.Sprintf("<1><3>%d", i); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	wait.Wait()
}
