package pretrained

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// llmcPad divides the number of rows of the embedding in a checkpoint of llm.c. Source: github.com/karpathy/llm.c,
// train_gpt2.py, pad_vocab.
const llmcPad = 128

// llmc writes a checkpoint of llm.c, and beside it the tokenizer's files, which Ceto reads and llm.c does not.
func (e *export) llmc() error {
	if e.Architecture.Type != "gpt2" {
		return errors.Errorf("llm.c knows GPT-2 alone: want GPT2LMHeadModel, not %s", e.Architecture.Class)
	}
	c, s := e.model.Dims(), gpt.SettingsOf(e.Architecture.Write(e.canonical()))
	switch eps := s.Float("layer_norm_epsilon", 0); {
	case !s.Bool("tie_word_embeddings", true) || s.Int("n_inner", 0) != 4*c.Width:
		return errors.New("llm.c has a head that is the embedding and an MLP four times as wide as the model; the model has another head or MLP")
	case s.Text("activation_function", "") != "gelu_new":
		return errors.New("llm.c has the tanh form of GELU; the model has the exact one")
	case float32(eps) != llmcEps:
		return errors.Errorf("llm.c has norms with eps %g; the model's is %g", llmcEps, eps)
	}
	version, kind, suffix := uint32(llmcF32), gguf.F32, ""
	if e.opt.Type == "bf16" {
		version, kind, suffix = llmcBF16, gguf.BF16, "_bf16"
	}
	padded := (c.Vocab + llmcPad - 1) / llmcPad * llmcPad
	name := "gpt2_" + sizeLabel(e.model.Params()) + suffix + ".bin"
	err := e.file(name, func(w io.Writer) error {
		head := make([]byte, llmcHeader)
		for i, v := range []uint32{llmcMagic, version, uint32(c.Context), uint32(c.Vocab), uint32(c.Layers), uint32(s.Int("n_head", 0)), uint32(c.Width), uint32(padded)} {
			binary.LittleEndian.PutUint32(head[4*i:], v)
		}
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, t := range llmcTensors(c) {
			blocks, prefix := 1, ""
			if t.block {
				blocks = c.Layers
			}
			for i := range blocks {
				if t.block {
					prefix = "h." + strconv.Itoa(i) + "."
				}
				if err := e.llmcTensor(w, prefix+t.name, t, kind, padded); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.tokenizerFiles()
}

// llmcTensor writes a parameter.
func (e *export) llmcTensor(w io.Writer, name string, t llmcTensor, kind gguf.Type, padded int) error {
	p := Tensor{Name: name, Shape: t.shape}
	if t.linear {
		p.Shape = []int{t.shape[1], t.shape[0]}
	}
	v, err := e.values(p)
	if err != nil {
		return err
	}
	if t.linear {
		v = transpose(v, p.Shape)
	}
	b, err := encode(kind, v)
	if err != nil {
		return errors.Wrap(err, name)
	}
	if _, err = w.Write(b); err == nil && name == "wte.weight" {
		_, err = w.Write(make([]byte, len(b)/t.shape[0]*(padded-t.shape[0])))
	}
	return err
}

// sizeLabel writes a number of parameters as names of models do: "124M".
func sizeLabel(params int) string {
	for _, u := range []struct {
		unit string
		size int
	}{{"B", 1e9}, {"M", 1e6}, {"K", 1e3}} {
		if params >= u.size {
			return fmt.Sprintf("%d%s", (params+u.size/2)/u.size, u.unit)
		}
	}
	return strconv.Itoa(params)
}
