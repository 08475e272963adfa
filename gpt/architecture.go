package gpt

import (
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Architecture says how published files hold the models of one kind: their settings, the names of their tensors, and
// the transforms of their values. It is data and pure functions alone; package pretrained opens the files.
//
// A family declares its architectures in its own file, beside the type of its models. To add a family, write that file,
// and put its architectures into the list in this file, below the marked line. Nothing else knows a model by its type.
type Architecture struct {
	Type  string // model_type of config.json: "llama"
	Class string // the class of transformers, in architectures of config.json: "LlamaForCausalLM"

	// Is reports whether a model is of this architecture. Where several say so, the first in the list counts.
	Is func(m Model) bool
	// Read makes a model from the settings of config.json. An error is kept in c: see [Settings.Fail].
	Read func(c *Settings) Model
	// Write returns the settings of config.json without model_type and architectures. What Read makes of them must have
	// the same canonical form as m.
	Write func(m Model) map[string]any
	// Canonical returns a model's canonical form: defaults are written out, and settings that matter in training alone
	// are dropped. Two models that compute the same have equal canonical forms.
	Canonical func(m Model) Model
	// Portable returns the model in the form that other programs know, such as GPT-2 with biases. Parameters that m
	// lacks are zeros there. Nil means that every model is in that form already.
	Portable func(m Model) Model

	Prefix  string   // what a folder puts before the names of the trunk's parameters: "transformer."
	Head    string   // module of a head that is not the embedding: "lm_head"
	Unused  []string // endings of names: tensors that folders have and the model does not use
	TagHead string   // name of the head's module in …ForTokenClassification; "" means "score"
	InOut   bool     // the linear layers of the blocks are stored as (in, out)
	Targets []string // patterns for the names of the blocks' linear layers, for nn.LoRA

	GGUF GGUF
}

// GGUF says how llama.cpp's files hold the models of an architecture. Source: gguf-py and convert_hf_to_gguf.py of
// llama.cpp.
type GGUF struct {
	Names []string // values of general.architecture that are read; none where llama.cpp does not know the architecture
	// Modules pairs each module of a file with the model's module; # stands for the block's number. In both, the
	// parameters of a module are its .weight and .bias.
	Modules [][2]string
	Unused  []string // tensors that only Read uses, or nothing at all: whole names, or endings that begin with a dot
	// Read makes a model from the settings, whose keys begin with the architecture's name, and from the tensors. An
	// error is kept in s: see [Settings.Fail].
	Read func(s *Settings, t Tensors) Model
	// Write takes a model in canonical form and returns the architecture's name and the settings, with whole keys. Its
	// error completes the sentence "a GGUF file of NAME cannot say …".
	Write func(m Model) (name string, settings []Setting, err error)
	// Transform returns what a file does to the parameter param; name is the file's general.architecture. Nil means
	// that files keep every parameter as it is.
	Transform func(m Model, name, param string) Transform
	// Extra returns the vectors that a file holds in place of settings of the model, by the names of their tensors. Nil
	// means that there are none.
	Extra func(m Model) (map[string][]float32, error)
}

// Setting is a key and its value: a number of the type that a file wants, a bool, a string or a list.
type Setting struct {
	Key   string
	Value any
}

// Tensors are the tensors of a file, by the file's own names.
type Tensors interface {
	// Shape returns the extents, the outermost axis first. It returns false where the file has no such tensor.
	Shape(name string) (shape []int, ok bool)
	// Values returns the values as float32. A missing tensor is an error.
	Values(name string) ([]float32, error)
}

// Transform is what a file does to a parameter. The zero value keeps it as it is.
type Transform struct {
	Transposed bool            // the file has the transpose of the matrix
	Row        func(i int) int // row i of the parameter is row Row(i) of the file; nil means row i
	Plus       float32         // added to the parameter's values in the file
}

// architectures lists what files can be read and written. A new architecture is one line here, beside its family's
// file. A variant of Llama must stand before Llama, which accepts any settings of its type.
var architectures = []*Architecture{
	// A new architecture goes below this line.
	gpt2Architecture,
	qwen3Architecture,
	qwen2Architecture,
	mistralArchitecture,
	llamaArchitecture,
	phi3Architecture,
	olmo2Architecture,
	smollm3Architecture,
	gemma3Architecture,
}

// Architectures returns the known architectures, in the order in which [ArchitectureOf] asks them.
func Architectures() []*Architecture { return slices.Clone(architectures) }

// ArchitectureOf returns the architecture of a model, or nil for a model that no file can hold.
func ArchitectureOf(m Model) *Architecture {
	for _, a := range architectures {
		if a.Is(m) {
			return a
		}
	}
	return nil
}

// ArchitectureOfType returns the architecture of a model_type, such as "llama". An unknown one is an error that lists
// the known ones.
func ArchitectureOfType(kind string) (*Architecture, error) {
	var known []string
	for _, a := range architectures {
		if a.Type == kind {
			return a, nil
		}
		known = append(known, a.Type)
	}
	slices.Sort(known)
	return nil, errors.Errorf("model_type is %q; known: %s", kind, strings.Join(known, ", "))
}

// ArchitectureOfGGUF returns the architecture of a GGUF file by its general.architecture, such as "llama". An unknown
// one is an error that lists the known ones.
func ArchitectureOfGGUF(name string) (*Architecture, error) {
	var known []string
	for _, a := range architectures {
		if slices.Contains(a.GGUF.Names, name) {
			return a, nil
		}
		known = append(known, a.GGUF.Names...)
	}
	slices.Sort(known)
	return nil, errors.Errorf("general.architecture is %q; known: %s", name, strings.Join(known, ", "))
}

// has reports whether a file has a tensor.
func has(t Tensors, name string) bool {
	_, ok := t.Shape(name)
	return ok
}

// vocabOf returns the number of rows of the embedding in a GGUF file.
func vocabOf(s *Settings, t Tensors) int {
	shape, ok := t.Shape("token_embd.weight")
	if !ok || len(shape) != 2 {
		s.Fail("the tensor token_embd.weight is missing, or is not a matrix")
		return 0
	}
	return shape[0]
}

// ggufSizes returns the settings that all architectures have in GGUF files.
func ggufSizes(arch string, d Dims, heads, mlp int) []Setting {
	return []Setting{
		{arch + ".vocab_size", uint32(d.Vocab)}, {arch + ".context_length", uint32(d.Context)},
		{arch + ".embedding_length", uint32(d.Width)}, {arch + ".block_count", uint32(d.Layers)},
		{arch + ".feed_forward_length", uint32(mlp)}, {arch + ".attention.head_count", uint32(heads)},
	}
}
