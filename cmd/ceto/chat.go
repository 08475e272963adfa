package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// chatFlags are the flags of ceto chat.
type chatFlags struct {
	*global
	modelFlags
	sampleFlags
	System string `flag:"system,empty" usage:"the system's message; without one the template's own"`
	Prompt string `flag:"prompt,empty" usage:"one turn: print the answer and end"`
}

func chatCmd(g *global) *cobra.Command {
	f := &chatFlags{global: g}
	c := &cobra.Command{
		Use:   "chat",
		Short: "Talk with a model through its own chat template",
		Long: `Talk with a model: a line is a turn, an empty one is passed over, /reset forgets the turns, the end of the input ends it.
Ctrl-C stops an answer, and between answers the program. When the context is full the oldest turns are left out.`,
		Example: `  ceto chat --model smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
  ceto chat --model OWNER/NAME --prompt "What is the capital of France?" --temperature 0`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	f.modelFlags.add(fl)
	setting.Flags(fl, f, "system", "prompt")
	f.sampleFlags.add(fl, generate.Options{Tokens: 1024, Temperature: 0.6, TopP: 0.9}) // Llama 3's generation_config.json
	return c
}

// chat is a conversation at a terminal.
type chat struct {
	generate.Conversation
	about string // what is said of the model at the start
}

// newChat opens a conversation with a model.
func newChat(m *loaded, o generate.Options) (*chat, error) {
	m.gen.KeepCache = true
	template, err := m.source.Template(m.tok)
	return &chat{generate.Conversation{Generator: m.gen, Template: template, Options: o},
		fmt.Sprintf("%s, %d parameters", m.source.Architecture.Class, m.source.Model.Params())}, err
}

// run answers --prompt, or the lines of the input.
func (f *chatFlags) run(c *cobra.Command) error {
	policy := policies[f.Special]
	if policy == token.AsText {
		return usagef("--special text: the template's own special tokens must count as such; want parse or refuse")
	}
	m, err := f.load(&f.modelFlags)
	if err != nil {
		return err
	}
	defer m.close()
	o, err := f.options(c.Flags(), m.source)
	if err != nil {
		return err
	}
	t, err := newChat(m, o)
	if err != nil {
		return err
	}
	t.System, t.Refuse = f.System, policy == token.Refuse
	if c.Flags().Changed("prompt") {
		return t.once(c.Context(), c.OutOrStdout(), f.Prompt, f.JSON)
	}
	if f.JSON {
		return usagef("--json answers one turn; give it with --prompt")
	}
	return t.talk(c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr(), &f.signals)
}

// once answers one turn.
func (t *chat) once(ctx context.Context, w io.Writer, prompt string, json bool) error {
	out := w
	if json {
		out = io.Discard
	}
	seq, ids, err := t.answer(ctx, out, prompt)
	if err != nil {
		return err
	}
	if json {
		r := result([]generate.Sequence{seq}, [][]int32{ids}, timing{})
		return printJSON(w, map[string]any{"text": r.Text, "ids": r.IDs, "prompt_ids": r.PromptIDs})
	}
	_, err = fmt.Fprintln(w)
	return err
}

// answer writes the model's answer as it comes.
func (t *chat) answer(ctx context.Context, w io.Writer, text string) (generate.Sequence, []int32, error) {
	var failed error
	t.Options.StreamText = func(text []byte) bool {
		_, failed = w.Write(text)
		return failed == nil
	}
	seq, ids, err := t.Answer(ctx, text)
	if err == nil {
		err = failed
	}
	return seq, ids, err
}

// talk answers each line of r. It prints an error of an answer, and the chat goes on. At a terminal Ctrl-C ends the
// answer that is under way.
func (t *chat) talk(r io.Reader, w, notes io.Writer, s *signals) error {
	var answering atomic.Pointer[context.CancelFunc]
	shell := isTerminal(w)
	if shell {
		fmt.Fprintf(notes, "%s; /reset forgets the turns, Ctrl-D ends\n", t.about)
		defer s.onInterrupt(func() bool {
			cancel := answering.Swap(nil)
			if cancel != nil {
				(*cancel)()
			}
			return cancel != nil
		})()
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for {
		if shell {
			fmt.Fprint(w, "> ")
		}
		if !lines.Scan() {
			return errors.Wrap(lines.Err(), "chat: standard input")
		}
		switch line := strings.TrimSpace(lines.Text()); line {
		case "":
		case "/reset":
			t.Reset()
		default:
			ctx, cancel := context.WithCancel(context.Background())
			answering.Store(&cancel)
			_, _, err := t.answer(ctx, w, line)
			answering.Store(nil)
			cancel()
			if _, e := fmt.Fprintln(w); e != nil {
				return e
			}
			if err != nil {
				fmt.Fprintln(notes, "ceto:", err)
			}
		}
	}
}
