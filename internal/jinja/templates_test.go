package jinja

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// publishedGolden is the content of the file that testdata/golden_templates.py of the module writes.
type publishedGolden struct {
	Special   json.RawMessage
	Chats     map[string]json.RawMessage
	Templates []struct {
		Template, SHA256 string
		Chats            map[string]struct{ Text, Error, Raised string }
	}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// publishedText returns a template that "make templates" fetches, as Python reads the file. Without the folder the test
// is skipped.
func publishedText(t testing.TB, name string) string {
	dir := os.Getenv("CETO_TEMPLATES")
	if dir == "" {
		dir = "../../templates"
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skip("the published templates are not here; make templates fetches them, or CETO_TEMPLATES names their folder:", err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func readPublished(t testing.TB) (g publishedGolden) {
	b, err := os.ReadFile("testdata/templates.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refused lists the published templates that are refused, with a part of the error.
var refused = map[string]string{}

// TestPublished renders the published templates as transformers does. A digest stands for each text.
func TestPublished(t *testing.T) {
	g := readPublished(t)
	if len(g.Templates) != 70 || len(refused) > 5 {
		t.Errorf("%d templates, %d of them refused: want 70, and at most 5", len(g.Templates), len(refused))
	}
	for _, c := range g.Templates {
		t.Run(c.Template, func(t *testing.T) {
			text := publishedText(t, c.Template)
			if got := digest(text); got != c.SHA256 {
				t.Fatalf("the file has sha256 %s, want %s", got, c.SHA256)
			}
			for name, want := range c.Chats {
				v := vars(t, []byte(`{"tools": null, "documents": null}`), g.Chats[name], g.Special)
				got, err := render(c.Template, text, v)
				switch why, ok := refused[c.Template]; {
				case ok && (err == nil || !strings.Contains(err.Error(), why)):
					t.Errorf("%s: got %v, want an error with %q", name, err, why)
				case ok:
				case want.Error != "" && err == nil:
					t.Errorf("%s: got %q, want an error like Python's %s", name, got, want.Error)
				case want.Error == "" && err != nil:
					t.Errorf("%s: %v", name, err)
				case want.Error == "" && digest(got) != want.Text:
					t.Errorf("%s: got a text with another digest than jinja2's: %q", name, got)
				case want.Raised != "" && !raised(err, want.Raised):
					t.Errorf("%s: got the error %v, want another one of raise_exception", name, err)
				}
			}
		})
	}
}

// raised tells whether an error ends with the text that has this digest.
func raised(err error, want string) bool {
	text := err.Error()
	for i := range text {
		if digest(text[i:]) == want {
			return true
		}
	}
	return false
}
