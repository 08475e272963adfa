package finetune

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzMessages reads chats. What templates see of a message is an object with its role and content.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{`[{"role":"user","content":"x"}]`, `[{"from":"gpt","value":"x"}]`, `[{"content":[{"type":"text","text":"x"},"y"],"role":"user","a":1,"a":2}]`,
		`[{"role":"assistant","content":null,"tool_calls":[{"b":1}]}]`, `[[]]`, `null`, `[null]`, `[{"role":1}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		chat, err := parseMessages(raw)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: an error of several lines: %q", raw, err)
			}
			return
		}
		for _, m := range chat {
			if !utf8.ValidString(m.Role) || !utf8.ValidString(m.Content) {
				t.Errorf("%q: %q is no text", raw, m)
			}
			if m.Given == "" {
				continue
			}
			var given struct{ Role, Content *string }
			if err := json.Unmarshal([]byte(m.Given), &given); err != nil || given.Role == nil || *given.Role != m.Role || given.Content != nil && *given.Content != m.Content {
				t.Errorf("%q: given %s, %v; want role %q and content %q", raw, m.Given, err, m.Role, m.Content)
			}
		}
		_ = checkChat(chat)
	})
}

// FuzzLabels reads lists of labels.
func FuzzLabels(f *testing.F) {
	for _, s := range []string{`["a",1]`, `['a', "b"]`, "[1 2]", "[a, b c]", `['\x41\'']`, "[", "[[", `['a`, "[,]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.HasPrefix(text, "[") || !utf8.ValidString(text) {
			return
		}
		labels, err := listed(text)
		if err != nil && (labels != nil || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %q, %q", text, labels, err)
		}
		for _, l := range labels {
			if !utf8.ValidString(l) {
				t.Errorf("%q: label %q", text, l)
			}
		}
	})
}

// TestMessagesBounds reads messages that are made to be slow: many keys, many parts, deep values.
func TestMessagesBounds(t *testing.T) {
	const n = 1 << 17
	var keys strings.Builder
	for i := range n {
		fmt.Fprintf(&keys, `,"k%d":1`, i)
	}
	for name, raw := range map[string]string{
		"keys":  `[{"role":"user","content":"x"` + keys.String() + `}]`,
		"parts": `[{"role":"user","content":["x"` + strings.Repeat(`,"xxxxxxxx"`, n) + `]}]`,
		"deep":  `[{"role":"user","content":"x","a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}]`,
		"many":  `[null` + strings.Repeat(`,{"role":"user","content":"x"}`, n) + `]`,
	} {
		start := time.Now()
		if _, err := parseMessages([]byte(raw)); err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(raw))
		}
	}
}
