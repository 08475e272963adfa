package finetune

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// Layout says which columns of a file make a chat. It has Messages alone, or Prompt, Answer and perhaps Input, or
// Template and Answer.
type Layout struct {
	// Messages is a column of JSON: [{"role": …, "content": …}, …], or with "from" and "value" in their place. The role
	// human becomes user, and the roles gpt, bot, model and chatbot become assistant. A content may be a list of parts
	// of type text, which are joined. Beside calls of tools it may be null.
	Messages string `yaml:"messages,omitempty" flag:"messages" usage:"column of chats: JSON messages with role and content"`
	// Prompt and Answer are columns of texts, or of messages as in Messages.
	Prompt string `yaml:"prompt,omitempty" flag:"prompt" usage:"column of what the user says"`
	// Input follows the prompt after a blank line. It may be empty.
	Input  string `yaml:"input,omitempty" flag:"input" usage:"column of the text that the prompt is about"`
	Answer string `yaml:"answer,omitempty" flag:"answer" usage:"column of the answers"`
	System string `yaml:"system,omitempty" flag:"system" usage:"column of the system's message"` // may be empty
	Tools  string `yaml:"tools,omitempty" flag:"tools" usage:"column of the tools that the assistant may call: a JSON list"`
	// Template is the pattern of what the user says, in place of Prompt and Input. {NAME} stands for the text of a
	// column. {{ and }} are braces.
	Template string `yaml:"prompt_template,omitempty" flag:"prompt-template" usage:"what the user says, made of columns: \"Translate into Chinese: {english}\""`
}

// layouts are the layouts that [DetectLayout] knows, by the names that others gave their columns. The first that fits
// is taken.
var layouts = []Layout{
	{Messages: "messages"},                                        // OpenAI, Hugging Face TRL
	{Messages: "conversations"},                                   // ShareGPT
	{Prompt: "instruction", Input: "input", Answer: "output"},     // Alpaca
	{Prompt: "instruction", Input: "context", Answer: "response"}, // Dolly
	{Prompt: "instruction", Answer: "output"},
	{Prompt: "instruction", Answer: "response"},
	{Prompt: "prompt", Answer: "completion"},
	{Prompt: "prompt", Answer: "response"},
	{Prompt: "question", Answer: "answer"},
}

// Columns returns the columns that the layout names.
func (l Layout) Columns() (names []string) {
	for _, c := range []string{l.Messages, l.Prompt, l.Input, l.Answer, l.System, l.Tools} {
		if c != "" {
			names = append(names, c)
		}
	}
	pieces, _ := l.pieces()
	for _, p := range pieces {
		if p.column {
			names = append(names, p.text)
		}
	}
	return names
}

// DetectLayout finds the layout of a file by the names of its columns. A column called system joins any layout, one
// called tools those that may have messages. Where no layout fits, the error lists the columns.
func DetectLayout(columns []string) (Layout, error) {
	for _, l := range layouts {
		if l.check(columns) != nil {
			continue
		}
		if slices.Contains(columns, "system") {
			l.System = "system"
		}
		if slices.Contains(columns, "tools") && (l.Messages != "" || l.Answer == "completion") {
			l.Tools = "tools"
		}
		return l, nil
	}
	return Layout{}, errors.Errorf("finetune: columns %s: want messages, conversations, or an instruction and its answer, such as instruction, input, output or prompt, completion; or say which columns they are",
		strings.Join(columns, ", "))
}

// check returns an error where a column of the layout is missing.
func (l Layout) check(columns []string) error {
	for _, c := range l.Columns() {
		if !slices.Contains(columns, c) {
			return errors.Errorf("finetune: no column %q; there are %s", c, strings.Join(columns, ", "))
		}
	}
	return nil
}

// Check returns an error where the layout is not complete, or the file lacks one of its columns.
func (l Layout) Check(r *record.Records) error {
	pair := l.Answer != "" && (l.Prompt != "") != (l.Template != "") && (l.Template == "" || l.Input == "")
	if (l.Messages != "") == pair || !pair && l.Template != "" {
		return errors.Errorf("finetune: layout %+v: want the column of messages, or those of the prompt and the answer, or a prompt's template and the answer", l)
	}
	pieces, err := l.pieces()
	if err != nil {
		return err
	}
	if l.Template != "" && !slices.ContainsFunc(pieces, func(p piece) bool { return p.column }) {
		return errors.Errorf("finetune: prompt template %q has no column; want one in braces, such as {%s}", l.Template, r.Columns()[0])
	}
	for _, c := range l.Columns() {
		if err := r.Unique(c); err != nil {
			return err
		}
	}
	return l.check(r.Columns())
}

// Chat returns record i as a chat with an answer. A record without a prompt or an answer, or with messages in another
// form, is an error with its place.
func (l Layout) Chat(r *record.Records, i int) ([]generate.Message, error) {
	chat, err := l.read(r, i)
	if err == nil {
		err = checkChat(chat)
	}
	if err != nil {
		return nil, errors.Wrapf(err, "finetune: %s", r.Where(i))
	}
	return chat, nil
}

// Ask returns record i as a chat that ends where an answer is to come. The records need no column of answers or tools.
func (l Layout) Ask(r *record.Records, i int) ([]generate.Message, error) {
	l.Answer, l.Tools = "", ""
	chat, err := l.read(r, i)
	if n := len(chat); n > 0 && chat[n-1].Role == "assistant" {
		chat = chat[:n-1]
	}
	if err == nil && (len(chat) == 0 || strings.TrimSpace(chat[len(chat)-1].Content) == "") {
		err = errors.New("no message to answer")
	}
	return chat, errors.Wrapf(err, "finetune: %s", r.Where(i))
}

// Texts returns the chats of r as texts: roles and contents in turn, up to the last answer. With whole the last
// answer is in the text, too.
func (l Layout) Texts(r *record.Records, whole bool) record.Texts {
	return func(i int) (string, error) {
		m, err := l.Chat(r, i)
		if err != nil {
			return "", err
		}
		if !whole {
			m = m[:lastAnswer(m)]
		}
		var b strings.Builder
		tools, err := l.tools(r, i)
		if err != nil {
			return "", err
		}
		b.WriteString(tools)
		for _, x := range m {
			b.WriteString(x.Role + "\n" + cmp.Or(x.Given, x.Content) + "\n")
		}
		return b.String(), nil
	}
}

// tools returns the tools of record i as a JSON list, or "" where it has none.
func (l Layout) tools(r *record.Records, i int) (string, error) {
	if l.Tools == "" || !r.Has(l.Tools) {
		return "", nil
	}
	raw, err := rawList(r, i, l.Tools)
	if err != nil {
		return "", err
	}
	if string(raw) == `""` || string(raw) == "null" {
		return "", nil
	}
	var list []json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &list) != nil {
		return "", errors.Errorf("column %q: want a JSON list of tools", l.Tools)
	}
	if len(list) == 0 {
		return "", nil
	}
	return string(raw), nil
}

// lastAnswer returns the index of the assistant's last message. The chat must have one.
func lastAnswer(m []generate.Message) int {
	last := len(m) - 1
	for m[last].Role != "assistant" {
		last--
	}
	return last
}

// prompt returns what the user says about a text. The text takes the place of the template's column. Without a
// template of exactly one column, the text alone is the prompt.
func (l Layout) prompt(text string) string {
	prompt, columns := "", 0
	pieces, _ := l.pieces()
	for _, p := range pieces {
		if p.column {
			p.text = text
			columns++
		}
		prompt += p.text
	}
	if columns != 1 {
		return text
	}
	return prompt
}

func (l Layout) read(r *record.Records, i int) (chat []generate.Message, err error) {
	var prompt, answer []generate.Message
	texts := map[string]string{}
	for _, c := range l.Columns() {
		var err error
		switch c {
		case l.Messages, l.Tools:
		case l.Prompt:
			texts[c], prompt, err = said(r, i, c)
		case l.Answer:
			texts[c], answer, err = said(r, i, c)
		default:
			texts[c], err = r.Text(i, c)
		}
		if err != nil {
			return nil, err
		}
	}
	if l.System != "" && texts[l.System] != "" {
		chat = []generate.Message{{Role: "system", Content: texts[l.System]}}
	}
	if l.Messages != "" {
		raw, err := rawList(r, i, l.Messages)
		if err != nil {
			return nil, err
		}
		messages, err := parseMessages(raw)
		return append(chat, messages...), errors.Wrapf(err, "column %q", l.Messages)
	}
	if prompt == nil {
		text, err := l.says(texts)
		if err != nil {
			return nil, err
		}
		prompt = []generate.Message{{Role: "user", Content: text}}
	} else if texts[l.Input] != "" {
		return nil, errors.Errorf("column %q stands beside messages in column %q; want a prompt that is a text", l.Input, l.Prompt)
	}
	if answer == nil {
		answer = []generate.Message{{Role: "assistant", Content: texts[l.Answer]}}
	}
	return slices.Concat(chat, prompt, answer), nil
}

// said reads a column of what is said: a text, or in JSON a list of messages, which is not nil.
func said(r *record.Records, i int, column string) (text string, messages []generate.Message, err error) {
	if text, err = r.Text(i, column); err == nil {
		return text, nil, nil
	}
	raw, e := r.Raw(i, column)
	if e != nil || len(raw) == 0 || raw[0] != '[' {
		return "", nil, err
	}
	messages, err = parseMessages(raw)
	return "", messages, errors.Wrapf(err, "column %q", column)
}

// says returns what the user says.
func (l Layout) says(texts map[string]string) (string, error) {
	prompt := texts[l.Prompt]
	pieces, err := l.pieces()
	for _, p := range pieces {
		if p.column {
			p.text = texts[p.text]
		}
		prompt += p.text
	}
	if l.Input != "" && texts[l.Input] != "" {
		prompt += "\n\n" + texts[l.Input]
	}
	return prompt, err
}

// piece is a piece of a prompt's template: the name of a column, or text.
type piece struct {
	text   string
	column bool
}

// pieces parses Template.
func (l Layout) pieces() (all []piece, err error) {
	bad := func(what string) error { return errors.Errorf("finetune: prompt template %q: %s", l.Template, what) }
	text := ""
	for rest := l.Template; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			text += rest
			break
		}
		brace := rest[i : i+1]
		text += rest[:i]
		rest = rest[i+1:]
		if strings.HasPrefix(rest, brace) {
			text, rest = text+brace, rest[1:]
			continue
		}
		end := strings.IndexAny(rest, "{}")
		switch {
		case brace == "}":
			return nil, bad("a } that closes nothing; want }} for a brace")
		case end < 0 || rest[end] == '{':
			return nil, bad("a { that nothing closes; want {COLUMN}, or {{ for a brace")
		case end == 0:
			return nil, bad("want the name of a column in {}")
		}
		all = append(all, piece{text: text}, piece{text: rest[:end], column: true})
		text, rest = "", rest[end+1:]
	}
	return append(all, piece{text: text}), nil
}
