package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// chatFlags are the flags of ceto chat.
type chatFlags struct {
	*global
	modelFlags
	sampleFlags
	system, prompt string
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
	fl.StringVar(&f.system, "system", "", "the system's message; without one the template's own")
	fl.StringVar(&f.prompt, "prompt", "", "one turn: print the answer and end")
	f.sampleFlags.add(fl, generate.Options{Tokens: 1024, Temperature: 0.6, TopP: 0.9}) // Llama 3's generation_config.json
	return c
}

// chat is a conversation under way.
type chat struct {
	*loaded
	template *generate.ChatTemplate
	policy   token.Policy
	opt      generate.Options
	system   []generate.Message // none or one
	turns    []generate.Message
}

// run answers --prompt, or the lines of the input.
func (f *chatFlags) run(c *cobra.Command) error {
	policy, err := policyOf(f.Special)
	if err != nil {
		return err
	}
	if policy == token.AsText {
		return usagef("--special text: the template's own special tokens must count as such; want parse or refuse")
	}
	m, err := f.load(&f.modelFlags)
	if err != nil {
		return err
	}
	defer m.close()
	m.gen.KeepCache = true
	t := &chat{loaded: m, policy: policy}
	if t.template, err = m.source.Template(m.tok); err != nil {
		return err
	}
	if t.opt, err = f.options(c.Flags(), m.source); err != nil {
		return err
	}
	if f.system != "" {
		t.system = []generate.Message{{Role: "system", Content: f.system}}
	}
	if c.Flags().Changed("prompt") {
		return t.once(c.Context(), c.OutOrStdout(), f.prompt, f.json)
	}
	if f.json {
		return usagef("--json answers one turn; give it with --prompt")
	}
	return t.talk(c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
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

// talk answers each line of r. An error of an answer is told and the chat goes on.
func (t *chat) talk(r io.Reader, w, notes io.Writer) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	lines := readLines(r)
	shell := isTerminal(w)
	if shell {
		fmt.Fprintf(notes, "%s, %d parameters; /reset forgets the turns, Ctrl-D ends\n", t.source.Architecture.Class, t.source.Model.Params())
	}
	for {
		if shell {
			fmt.Fprint(w, "> ")
		}
		var line string
		select {
		case <-interrupts:
			return nil
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			line = strings.TrimSpace(l)
		}
		switch line {
		case "":
			continue
		case "/reset":
			t.turns = nil
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			select {
			case <-interrupts:
				cancel()
			case <-done:
			}
		}()
		_, _, err := t.answer(ctx, w, line)
		close(done)
		cancel()
		if err != nil {
			fmt.Fprintln(notes, "ceto:", err)
		}
		fmt.Fprintln(w)
	}
}

// readLines sends the lines of r.
func readLines(r io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			lines <- s.Text()
		}
	}()
	return lines
}

// answer adds a turn and writes the model's answer as it comes; what was written when ctx ends stays a turn.
func (t *chat) answer(ctx context.Context, w io.Writer, text string) (generate.Sequence, []int32, error) {
	t.turns = append(t.turns, generate.Message{Role: "user", Content: text})
	ids, err := t.ids()
	if err != nil {
		t.turns = t.turns[:len(t.turns)-1]
		return generate.Sequence{}, nil, err
	}
	o := t.opt
	o.Tokens = min(o.Tokens, t.source.Model.Dims().Context-len(ids))
	seqs, _, err := t.generate(ctx, w, "", [][]int32{ids}, o)
	if len(seqs) == 0 {
		return generate.Sequence{}, ids, err
	}
	t.turns = append(t.turns, generate.Message{Role: "assistant", Content: seqs[0].Text})
	return seqs[0], ids, err
}

// room is the least that an answer gets, in tokens, before old turns are left out.
const room = 64

// ids renders and encodes the chat; turns for which the context has no room are left out for good, the oldest first.
func (t *chat) ids() ([]int32, error) {
	context := t.source.Model.Dims().Context
	for {
		if err := t.refuse(); err != nil {
			return nil, err
		}
		text, err := t.template.Render(append(append([]generate.Message{}, t.system...), t.turns...))
		if err != nil {
			return nil, err
		}
		ids, err := generate.PromptIDs(t.tok, text, token.Parse)
		if err != nil || len(ids)+min(room, t.opt.Tokens) <= context {
			return ids, err
		}
		if len(t.turns) < 3 {
			return nil, errors.Errorf("the prompt has %d tokens; the context holds %d, and an answer needs some", len(ids), context)
		}
		t.turns = t.turns[2:]
	}
}

// refuse is an error where --special refuse forbids what a message says.
func (t *chat) refuse() error {
	sub, ok := t.tok.(token.Subword)
	if t.policy != token.Refuse || !ok {
		return nil
	}
	last := t.turns[len(t.turns)-1]
	_, err := sub.EncodeWith([]byte(last.Content), token.Options{Policy: token.Refuse})
	return err
}
