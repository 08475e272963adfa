package gpt

import (
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Architecture says how published files hold the models of one kind: their settings, the names of their tensors, what is
// done to the values. It is data and pure functions: package pretrained opens the files. A family registers its
// architectures in the list of [Architectures].
type Architecture struct {
	Type  string // model_type of config.json: "llama"
	Class string // the class of transformers, in architectures of config.json: "LlamaForCausalLM"

	// Is reports whether a model is of this architecture. Of several that say so the first of the list counts.
	Is func(m Model) bool
	// Read makes a model of the settings of config.json; an error stays in c.
	Read func(c *Settings) Model
	// Write returns the settings of config.json, but for model_type and architectures. The result of Read on them must
	// have m's canonical form.
	Write func(m Model) map[string]any
	// Canonical returns a model's canonical form: defaults written out, and nothing that matters to training alone. Two
	// models that compute the same have equal ones.
	Canonical func(m Model) Model
	// Portable returns the model as the programs of others know it, such as GPT-2 with biases; parameters that m lacks
	// are zeros there. Nil changes nothing.
	Portable func(m Model) Model

	Prefix  string   // of the trunk's tensors in a folder, before the model's own names: "transformer."
	Head    string   // module of the head, where it is not the embedding: "lm_head"
	Unused  []string // ends of the names of tensors that folders have and the model has no use for
	TagHead string   // module that …ForTokenClassification calls its head; "" is "score"
	InOut   bool     // the blocks' linear layers are kept as (in, out)
	Targets []string // patterns of the blocks' linear layers, for nn.LoRA

	GGUF GGUF
}

// GGUF says how llama.cpp's files hold the models of an architecture. Source: gguf-py and convert_hf_to_gguf.py of
// llama.cpp.
type GGUF struct {
	Names []string // general.architecture of files that are read; none where llama.cpp does not know the architecture
	// Modules pairs a module of a file with the model's; # stands for the block's number. A module's parameters are its
	// .weight and .bias in both.
	Modules [][2]string
	Unused  []string // tensors that are read by Read, or not at all: whole names, or ends that begin with a dot
	// Read makes a model of the settings, whose keys begin with the architecture's name, and of the tensors; an error
	// stays in s.
	Read func(s *Settings, t Tensors) Model
	// Write returns the architecture's name and the settings, with whole keys, of a model in canonical form. The error
	// ends "a GGUF file of NAME cannot say".
	Write func(m Model) (name string, settings []Setting, err error)
	// Transform returns what a file of that architecture's name does to a parameter; nil does nothing.
	Transform func(m Model, name, param string) Transform
	// Extra returns the values of vectors that a file has and the model has as settings; nil is none.
	Extra func(m Model) (map[string][]float32, error)
}

// Setting is a key and its value: a number of the type that a file wants, a bool, a string or a list.
type Setting struct {
	Key   string
	Value any
}

// Tensors are those of a file, by its own names.
type Tensors interface {
	// Shape returns the extents, the outermost axis first.
	Shape(name string) (shape []int, ok bool)
	// Values returns the values as float32.
	Values(name string) ([]float32, error)
}

// Transform is what a file does to a parameter. The zero value keeps it as it is.
type Transform struct {
	Transposed bool            // the file has the matrix's transpose
	Row        func(i int) int // the file's row that is the parameter's row i; nil for row i
	Plus       float32         // the file's values are the parameter's plus this
}

// architectures are those that files are read and written of. A new one is its family's file and a line here. A variant
// of Llama stands before Llama, which takes any settings of the type.
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

// Architectures lists those that are known.
func Architectures() []*Architecture { return slices.Clone(architectures) }

// ArchitectureOf returns the architecture of a model; nil for a model that no file can hold.
func ArchitectureOf(m Model) *Architecture {
	for _, a := range architectures {
		if a.Is(m) {
			return a
		}
	}
	return nil
}

// ArchitectureOfType returns the architecture of a model_type; an unknown one is an error that lists the known ones.
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

// ArchitectureOfGGUF returns the architecture of general.architecture in a GGUF file; an unknown one is an error that
// lists the known ones.
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

// vocabOf is the number of rows of the embedding in a GGUF file.
func vocabOf(s *Settings, t Tensors) int {
	shape, ok := t.Shape("token_embd.weight")
	if !ok || len(shape) != 2 {
		s.Fail("the tensor token_embd.weight is missing, or no matrix")
		return 0
	}
	return shape[0]
}

// ggufSizes are the settings that all architectures have in GGUF files.
func ggufSizes(arch string, d Dims, heads, mlp int) []Setting {
	return []Setting{
		{arch + ".vocab_size", uint32(d.Vocab)}, {arch + ".context_length", uint32(d.Context)},
		{arch + ".embedding_length", uint32(d.Width)}, {arch + ".block_count", uint32(d.Layers)},
		{arch + ".feed_forward_length", uint32(mlp)}, {arch + ".attention.head_count", uint32(heads)},
	}
}
