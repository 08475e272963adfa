package generate_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/pretrained"
)

// chatted is what testdata/golden_sft.py saw transformers make of chats.
type chatted struct {
	Tokenizer, Template string
	Chats               []struct {
		Messages []generate.Message
		Text     string
		IDs      []int32
		Answer   []int
	}
}

// TestChatEncode: the ids of whole chats are transformers', and so is the choice of those that the assistant writes.
func TestChatEncode(t *testing.T) {
	var e struct{ Cases []chatted }
	b, err := os.ReadFile("../testdata/sft.json")
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil || len(e.Cases) != 3 {
		t.Fatal(len(e.Cases), err)
	}
	for _, c := range e.Cases {
		t.Run(c.Tokenizer, func(t *testing.T) {
			path := "../testdata/hf/" + c.Tokenizer
			if c.Tokenizer == "smollm2" {
				if path = os.Getenv("CETO_SMOLLM2"); path == "" {
					t.Skip("CETO_SMOLLM2 (the GGUF file) is not set")
				}
			}
			c.check(t, path)
		})
	}
}

func (c chatted) check(t *testing.T, path string) {
	s, err := pretrained.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tok, err := s.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	if c.Template != "" {
		s.Chat = c.Template
	}
	chat, err := s.Template(tok)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range c.Chats {
		ids, answer, err := chat.Encode(tok, want.Messages)
		if err != nil {
			t.Fatalf("chat %d: %v", i, err)
		}
		if text := string(tok.Decode(ids)); text != want.Text {
			t.Errorf("chat %d: text %q, want %q", i, text, want.Text)
		}
		if !slices.Equal(ids, want.IDs) {
			t.Errorf("chat %d: ids %v, want %v", i, ids, want.IDs)
		}
		for j, a := range answer {
			if a != (want.Answer[j] == 1) {
				t.Errorf("chat %d: id %d (%q) is the assistant's: %t; transformers says %d", i, j, tok.Decode(ids[j:j+1]), a, want.Answer[j])
			}
		}
	}
}

// letters is a tokenizer of bytes and the control tokens <s> (256) and </s> (257).
func letters(t *testing.T, change func(c *token.BPEConfig)) token.Tokenizer {
	t.Helper()
	begin, end := int32(256), int32(257)
	c := token.BPEConfig{Specials: []token.Special{{ID: begin, Text: "<s>", Special: true}, {ID: end, Text: "</s>", Special: true}}, Begin: &begin, End: &end}
	for b := range 256 {
		c.Tokens = append(c.Tokens, string([]byte{byte(b)}))
	}
	c.Tokens = append(c.Tokens, "<s>", "</s>")
	if change != nil {
		change(&c)
	}
	b, err := token.NewBPE(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pieces is a SentencePiece tokenizer of ASCII and "▁b", with a space in front of each stretch of text.
func pieces(t *testing.T) token.Tokenizer {
	t.Helper()
	c := token.SentencePieceConfig{Tokens: []string{"<unk>", "<s>", "</s>", "▁b", "▁"}, Types: []int32{2, 3, 3, 1, 1}, Prefix: true, Unknown: new(int32), Begin: new(int32), End: new(int32)}
	*c.Begin, *c.End = 1, 2
	c.Before = []int32{1}
	for b := byte(33); b < 127; b++ {
		c.Tokens, c.Types = append(c.Tokens, string(b)), append(c.Types, 1)
	}
	c.Scores = make([]float32, len(c.Tokens))
	s, err := token.NewSentencePiece(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// learned writes a chat with [] around each run of ids that the assistant writes.
func learned(tok token.Tokenizer, ids []int32, answer []bool) string {
	piece := func(id int32) []byte {
		if sub, ok := tok.(token.Subword); ok {
			return sub.Piece(id)
		}
		return tok.Decode([]int32{id})
	}
	var b strings.Builder
	for i := range ids {
		if answer[i] && (i == 0 || !answer[i-1]) {
			b.WriteByte('[')
		}
		b.Write(piece(ids[i]))
		if answer[i] && (i+1 == len(ids) || !answer[i+1]) {
			b.WriteByte(']')
		}
	}
	return b.String()
}

// TestChatLearned has templates, tokenizers and chats whose answers are marked by hand.
func TestChatLearned(t *testing.T) {
	const inst = `{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<q>{{ m.content }}</q>{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}`
	plain := letters(t, nil)
	adds := letters(t, func(c *token.BPEConfig) { c.Before = []int32{256} })
	joins := letters(t, func(c *token.BPEConfig) {
		c.Tokens, c.Merges = append(c.Tokens, "\n\n"), [][2]string{{"\n", "\n"}}
	})
	user, answer := func(s string) generate.Message { return generate.Message{Role: "user", Content: s} }, func(s string) generate.Message { return generate.Message{Role: "assistant", Content: s} }
	for _, c := range []struct {
		name, template string // "": the plain template
		tok            token.Tokenizer
		chat           []generate.Message
		want           string
	}{
		{"a template that trims", inst, plain, []generate.Message{user("a"), answer("b ")}, "<s><q>a</q>[ b </s>]"},
		{"many turns", inst, adds, []generate.Message{user("a"), answer("b"), user("c"), answer("d")}, "<s><q>a</q>[ b </s>]<q>c</q>[ d </s>]"},
		{"SentencePiece", inst, pieces(t), []generate.Message{user("a"), answer("b"), user("c"), answer("d")}, "<s> <q>a</q>[ b </s>] <q>c</q>[ d </s>]"},
		{"a question is last", inst, plain, []generate.Message{user("a"), answer("b"), user("c")}, "<s><q>a</q>[ b </s>]<q>c</q>"},
		{"two answers in a row", inst, plain, []generate.Message{user("a"), answer("b"), answer("c")}, "<s><q>a</q>[ b </s> c </s>]"},
		{"plain", "", adds, []generate.Message{user("Add 1\n\n2"), answer("3")}, "<s>### Instruction:\nAdd 1\n\n2\n\n### Response:\n[3</s>]"},
		{"plain, a system and two turns", "", plain, []generate.Message{{Role: "system", Content: "S."}, user("a"), answer("b"), user("c"), answer("d")},
			"S.\n\n### Instruction:\na\n\n### Response:\n[b</s>]\n\n### Instruction:\nc\n\n### Response:\n[d</s>]"},
		{"plain, no end token", "", token.Byte{}, []generate.Message{user("a"), answer("b"), user("é"), answer("ü")},
			"### Instruction:\na\n\n### Response:\n[b\n\n]### Instruction:\né\n\n### Response:\n[ü\n\n]"},
		{"a token across the answer's start", "", joins, []generate.Message{user("a"), answer("\nb")}, "### Instruction:\na\n\n### Response:\n\n[b</s>]"},
	} {
		chat, err := generate.PlainTemplate(c.tok)
		if c.template != "" {
			chat, err = (&pretrained.Source{Chat: c.template}).Template(c.tok)
		}
		if err != nil {
			t.Fatal(err)
		}
		ids, learn, err := chat.Encode(c.tok, c.chat)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := learned(c.tok, ids, learn); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestChatRefuses has chats from which no answer can be learned.
func TestChatRefuses(t *testing.T) {
	tok := letters(t, nil)
	const forgets = `{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.content }}{% else %}…{% endif %}{% endfor %}`
	for _, c := range []struct {
		template string
		chat     []generate.Message
		want     string
	}{
		{"", nil, "0 messages, 0 of them of the assistant"},
		{"", []generate.Message{{Role: "user", Content: "a"}}, "1 messages, 0 of them"},
		{"", []generate.Message{{Role: "assistant", Content: "a"}, {Role: "user", Content: "b"}}, "want at least one answer, and another before it"},
		{"", []generate.Message{{Role: "user", Content: "a</s>"}, {Role: "assistant", Content: "b"}}, `message 1 (user): token: special token "</s>" at offset 1`},
		{"", []generate.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b", Given: `{"tool_calls":[{"name":"\u003cs>"}]}`}}, `message 2 (assistant): token: special token "<s>"`},
		{"", []generate.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "tool<s>", Content: "c"}}, `message 3 (tool<s>): token: special token "<s>"`},
		{"", []generate.Message{{Role: "tool", Content: "a"}, {Role: "assistant", Content: "b"}}, "want the roles system, user and assistant"},
		{forgets, []generate.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "user", Content: "c"}, {Role: "assistant", Content: "d"}}, "writes earlier messages differently when message 3 comes"},
	} {
		chat, err := generate.PlainTemplate(tok)
		if c.template != "" {
			chat, err = (&pretrained.Source{Chat: c.template}).Template(tok)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := chat.Encode(tok, c.chat); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.chat, err, c.want)
		}
	}
}
