package main

import (
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"

	"github.com/ceto-ml/ceto/pretrained"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// modelFacts are what the files of a model hold: the JSON of ceto inspect --model.
type modelFacts struct {
	Format       string         `json:"format"`
	Architecture string         `json:"architecture"`
	Params       int            `json:"params"`
	TensorTypes  map[string]int `json:"tensor_types"` // number of tensors of each type
	Layers       int            `json:"layers"`
	Width        int            `json:"width"`
	Vocab        int            `json:"vocab"`
	Context      int            `json:"context"`
	Tokenizer    string         `json:"tokenizer"`     // kind and number of ids; "" for none
	ChatTemplate int            `json:"chat_template"` // bytes
	BytesDisk    int64          `json:"bytes_disk"`    // of the files with the tensors
	BytesMemory  int64          `json:"bytes_memory"`  // of the parameters in float32
	End          []int32        `json:"end_ids"`
}

// runModel says what a model's files hold and, with --batch, what a training step of it needs.
func (f *inspectFlags) runModel(c *cobra.Command) error {
	if c.Flags().Changed("preset") {
		return usagef("--model and --preset name two models; give one")
	}
	s, err := f.openModel(f.Model)
	if err != nil {
		return err
	}
	defer s.Close()
	facts, err := factsOf(s)
	if err != nil {
		return err
	}
	if c.Flags().Changed("batch") {
		return f.step(c, s.Model, f.batch)
	}
	w := c.OutOrStdout()
	if f.SVG != "" {
		scope, err := forwardScope(s.Model, 1, min(s.Model.Dims().Context, 64))
		if err != nil {
			return err
		}
		if err := drawFile(f.SVG, scope.Graph, f.Model); err != nil {
			return err
		}
	}
	if f.JSON {
		return printJSON(w, facts)
	}
	return facts.print(w, s)
}

func factsOf(s *pretrained.Source) (modelFacts, error) {
	d := s.Model.Dims()
	f := modelFacts{Format: s.Format, Architecture: s.Architecture.Class, Params: s.Model.Params(), TensorTypes: map[string]int{},
		Layers: d.Layers, Width: d.Width, Vocab: d.Vocab, Context: d.Context, ChatTemplate: len(s.Chat), BytesDisk: s.Bytes,
		BytesMemory: 4 * int64(s.Model.Params()), End: append([]int32{}, s.End...)}
	for _, t := range s.Tensors {
		f.TensorTypes[t.Type]++
	}
	tok, err := s.Tokenizer()
	switch {
	case err == nil:
		f.Tokenizer = fmt.Sprintf("%s, %d ids", tok.Name(), tok.Vocab())
	case !errors.Is(err, fs.ErrNotExist):
		return f, err
	}
	return f, nil
}

// print writes the tensors and the facts.
func (f modelFacts) print(w io.Writer, s *pretrained.Source) error {
	for _, t := range s.Tensors {
		fmt.Fprintf(w, "%-48s %-5s %-16s %12d B\n", t.Name, t.Type, fmt.Sprint(t.Shape), t.Bytes)
	}
	var types []string
	for name, n := range f.TensorTypes {
		types = append(types, fmt.Sprintf("%d %s", n, name))
	}
	sort.Strings(types)
	tokenizer, template := f.Tokenizer, "none"
	if tokenizer == "" {
		tokenizer = "none beside the model"
	}
	if f.ChatTemplate > 0 {
		template = fmt.Sprintf("%d bytes", f.ChatTemplate)
	}
	_, err := fmt.Fprintf(w, `
%s, %s: %d parameters, %d layers, %d wide, vocabulary %d, context %d
tensors        %s
tokenizer      %s; end ids %v
chat template  %s
on disk        %s
in memory      %s, as float32
`, f.Architecture, f.Format, f.Params, f.Layers, f.Width, f.Vocab, f.Context, strings.Join(types, ", "), tokenizer, f.End, template,
		size(f.BytesDisk), size(f.BytesMemory))
	return err
}
