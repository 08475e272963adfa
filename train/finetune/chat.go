package finetune

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
)

// chat is the task of answering. Only what the assistant says counts in the loss.
type chat struct {
	causal
	template *generate.ChatTemplate
	plain    bool // the model has no template of its own
}

func (*chat) about() string {
	return `answers: columns messages, conversations, instruction and output, prompt and completion, or --prompt-template
and --answer; loss on the answers only, the model's own chat template, several chats to a row, none of which sees the others`
}

// columns finds the layout by the names of the columns, where the settings have none.
func (*chat) columns(d *DataSettings, r *record.Records) error {
	if d.Layout == (Layout{}) {
		var err error
		if d.Layout, err = DetectLayout(r.Columns()); err != nil {
			return err
		}
	}
	return d.Layout.Check(r)
}

func (*chat) usable(s *Setup, r *record.Records, row int) error {
	_, err := s.Settings.Data.Layout.Chat(r, row)
	if err == nil {
		_, err = s.Settings.Data.Layout.tools(r, row)
	}
	return err
}

func (c *chat) open(s *Setup, _ *record.Records) error { return c.restore(s) }

func (c *chat) restore(s *Setup) (err error) {
	if c.plain = !s.Source.HasChat(); c.plain {
		c.template, err = generate.PlainTemplate(s.Tokenizer)
	} else {
		c.template, err = s.Source.Template(s.Tokenizer)
	}
	return err
}

func (c *chat) divided(s *Setup, d *Data) error {
	if c.plain {
		d.warn("%s has no chat template; it learns the plain one, ### Instruction: … ### Response: …", s.Source.Path)
	}
	return nil
}

func (*chat) identity(d *DataSettings, r *record.Records) record.Texts {
	return d.Layout.Texts(r, true)
}

func (*chat) question(d *DataSettings, r *record.Records) record.Texts {
	return d.Layout.Texts(r, false)
}

func (*chat) leftOut(n, context int) string {
	return fmt.Sprintf("%d chats are left out: their answers lie beyond the %d tokens of the context", n, context)
}

// make makes an example of a chat, or none where its answers lie beyond the context.
func (c *chat) make(s *Setup, e entry) ([]example, error) {
	messages, err := s.Settings.Data.Layout.Chat(e.Records, e.row)
	if err != nil {
		return nil, err
	}
	t, err := c.at(s, e.Records, e.row)
	if err != nil {
		return nil, err
	}
	turns, long, err := s.fits("chat", len(messages)) // a message has a token or more
	if err != nil {
		return nil, err
	}
	messages = messages[:turns]
	ids, answer, err := t.Encode(s.Tokenizer, messages)
	if same, found := withoutNull(messages); err != nil && found {
		ids, answer, err = t.Encode(s.Tokenizer, same)
	}
	if err != nil {
		return nil, err
	}
	var x example
	x.IDs, x.Y = gpt.Targets(ids, answer)
	n, cut, err := s.fits("chat", len(x.IDs))
	if err != nil {
		return nil, err
	}
	x.IDs, x.Y, x.cut = x.IDs[:n], x.Y[:n], cut || long
	if !learns(x) {
		return nil, nil
	}
	return []example{x}, nil
}

// learns tells whether any target of an example counts in the loss.
func learns(e example) bool {
	return slices.ContainsFunc(e.Y, func(y int32) bool { return y >= 0 })
}

// predict takes each text as what the user says.
func (c *chat) predict(p *Predictor, texts []string) ([]Answer, error) {
	return p.respond(len(texts), func(i int) ([]int32, error) {
		return prompt(p, c.template, []generate.Message{{Role: "user", Content: p.Settings.Data.Layout.prompt(texts[i])}})
	}, c.options(p, generate.Options{}))
}

// predictRows reads the records by the layout. They need no column of answers.
func (c *chat) predictRows(p *Predictor, r *record.Records, rows []int) ([]Answer, error) {
	asked := p.Settings.Data.Layout
	asked.Answer, asked.Tools = "", ""
	if err := asked.check(r.Columns()); err != nil {
		return nil, err
	}
	return p.respond(len(rows), func(i int) ([]int32, error) {
		m, err := p.Settings.Data.Layout.Ask(r, rows[i])
		if err != nil {
			return nil, r.Reason(rows[i], err)
		}
		return c.promptAt(p, r, rows[i], m, generate.Options{})
	}, c.options(p, generate.Options{}))
}

// promptAt returns the ids of a chat of a record. An error has the record's place.
func (c *chat) promptAt(p *Predictor, r *record.Records, row int, m []generate.Message, o generate.Options) (ids []int32, err error) {
	t, err := c.at(p.Setup, r, row)
	if err == nil {
		if ids, err = prompt(p, t, m); err == nil {
			err = p.room(ids, o)
		}
	}
	if err != nil {
		err = r.Reason(row, err)
	}
	return ids, err
}

func (c *chat) answer(p *Predictor, chats [][]generate.Message, o generate.Options) ([]string, error) {
	prompts := make([][]int32, len(chats))
	for i, m := range chats {
		var err error
		if prompts[i], err = prompt(p, c.template, m); err != nil {
			return nil, errors.Wrapf(err, "finetune: chat %d", i)
		}
	}
	return p.write(prompts, c.options(p, o))
}

// at returns the template with the tools of a record.
func (c *chat) at(s *Setup, r *record.Records, row int) (*generate.ChatTemplate, error) {
	t := *c.template
	var err error
	t.Tools, err = s.Settings.Data.Layout.tools(r, row)
	return &t, err
}

// prompt returns the ids of a chat up to where its answer begins.
func prompt(p *Predictor, t *generate.ChatTemplate, m []generate.Message) ([]int32, error) {
	text, err := t.Render(m)
	if same, found := withoutNull(m); err != nil && found {
		text, err = t.Render(same)
	}
	if err != nil {
		return nil, err
	}
	return generate.PromptIDs(p.Tokenizer, text, token.Parse)
}

// options adds to o what ends an answer of the plain template: a blank line, where the tokenizer has no end token.
func (c *chat) options(p *Predictor, o generate.Options) generate.Options {
	if _, ends := p.end(); c.plain && !ends {
		o.Stop = append(slices.Clone(o.Stop), "\n\n")
	}
	return o
}

func (c *chat) replies(p *Predictor, r *record.Records, rows []int, o generate.Options) (answers []Answer, wanted []string, err error) {
	if err := c.columns(&p.Settings.Data, r); err != nil {
		return nil, nil, err
	}
	wanted = make([]string, len(rows))
	answers, err = p.respond(len(rows), func(i int) ([]int32, error) {
		m, err := p.Settings.Data.Layout.Chat(r, rows[i])
		if err != nil {
			return nil, err
		}
		last := lastAnswer(m)
		wanted[i] = strings.TrimSpace(m[last].Content)
		return c.promptAt(p, r, rows[i], m[:last], o)
	}, c.options(p, o))
	return answers, wanted, err
}

func (c *chat) next(s Settings, run string) []string { return c.nextCommand("chat", s, run) }
