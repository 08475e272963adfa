package token

import "github.com/pkg/errors"

// The published regular expressions, by the exact text that stands in tokenizer.json files and in tiktoken.
const (
	contractions       = `'s|'t|'re|'ve|'m|'ll|'d`
	foldedContractions = `(?i:` + contractions + `)`
	spacesPattern      = `|\s*[\r\n]+|\s+(?!\S)|\s+`
	prefixPattern      = `[^\r\n\p{L}\p{N}]?`
	upperPattern       = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	lowerPattern       = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`

	gpt2Pattern     = contractions + `| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	gpt2Bracketed   = contractions + `| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	gpt2Possessive  = `'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`
	gpt2Grouped     = `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Pattern   = foldedContractions + `|` + prefixPattern + `\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spacesPattern
	qwen2Pattern    = foldedContractions + `|` + prefixPattern + `\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spacesPattern
	cl100kPattern   = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`
	cl100kSecond    = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
	o200kPattern    = prefixPattern + upperPattern + `*` + lowerPattern + `+` + foldedContractions + `?|` + prefixPattern + upperPattern + `+` + lowerPattern + `*` + foldedContractions + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spacesPattern
	tekkenPattern   = prefixPattern + upperPattern + `*` + lowerPattern + `+|` + prefixPattern + upperPattern + `+` + lowerPattern + `*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spacesPattern
	digitsPattern   = `\p{N}`
	digitRunPattern = `\p{N}+`
)

var patterns = map[string]Splitter{
	gpt2Pattern:     GPT2,
	gpt2Bracketed:   GPT2,
	gpt2Possessive:  GPT2, // tiktoken since 0.8; \s++$ and \s give the pieces of \s+(?!\S) and \s+
	gpt2Grouped:     GPT2,
	llama3Pattern:   Llama3,
	cl100kSecond:    Llama3, // \s*[\r\n] ends behind the last line end, as \s*[\r\n]+ does
	cl100kPattern:   CL100K,
	qwen2Pattern:    Qwen2,
	o200kPattern:    O200K,
	tekkenPattern:   Tekken,
	digitsPattern:   Digits,
	digitRunPattern: DigitRuns,
}

// SplitterOf returns the splitter that cuts a text as a published regular expression does. The expression is given by
// its exact text, as in the Split pre-tokenizer of a tokenizer.json. Any other one is an error that names it.
func SplitterOf(pattern string) (Splitter, error) {
	if s, ok := patterns[pattern]; ok {
		return s, nil
	}
	return nil, errors.Errorf("token: split pattern %q is not known: want that of GPT-2, cl100k, Llama 3, Qwen 2, o200k or Tekken, or one for digits", pattern)
}

var (
	gpt2Stages   = []Splitter{GPT2}
	digitsGPT2   = []Splitter{Digits, GPT2}
	llama3Stages = []Splitter{Llama3}
	qwen2Stages  = []Splitter{Qwen2}
	o200kStages  = []Splitter{O200K}
)

// stages has the splitters of the names that a GGUF file may give its pre-tokenizer. The list is in src/llama-vocab.cpp
// of llama.cpp. Names whose expressions differ from all of split.go are absent.
var stages = map[string][]Splitter{
	"gpt-2": gpt2Stages, "phi-2": gpt2Stages, "mpt": gpt2Stages, "olmo": gpt2Stages, "jais": gpt2Stages,
	"roberta-bpe": gpt2Stages, "modern-bert": gpt2Stages, "gigachat": gpt2Stages, "mellum": gpt2Stages,
	"a.x-4.0": gpt2Stages, "exaone4": gpt2Stages, "trillion": gpt2Stages, "granite-docling": gpt2Stages,
	"jina-es": gpt2Stages, "jina-de": gpt2Stages, "jina-v1-en": gpt2Stages, "jina-v2-es": gpt2Stages,
	"jina-v2-de": gpt2Stages, "jina-v2-code": gpt2Stages,

	// Files from before the key existed are as a rule of a gpt2 model. llama.cpp cuts them in a way of its own, which
	// no model was trained with.
	"": gpt2Stages, "default": gpt2Stages,

	"smollm": digitsGPT2, "starcoder": digitsGPT2, "refact": digitsGPT2, "command-r": digitsGPT2,
	"codeshell": digitsGPT2, "exaone": digitsGPT2, "minerva-7b": digitsGPT2,

	"llama-bpe": llama3Stages, "llama3": llama3Stages, "llama-v3": llama3Stages, "falcon3": llama3Stages,
	"falcon-h1": llama3Stages, "midm-2.0": llama3Stages, "lfm2": llama3Stages, "dbrx": llama3Stages,
	"smaug-bpe": llama3Stages, "glm4": llama3Stages, "chatglm-bpe": llama3Stages,

	"qwen2": qwen2Stages, "deepseek-r1-qwen": qwen2Stages, "stablelm2": qwen2Stages, "hunyuan": qwen2Stages,
	"megrez": qwen2Stages, "kormo": qwen2Stages, "solar-open": qwen2Stages, "grok-2": qwen2Stages,

	"gpt-4o": o200kStages, "llama4": o200kStages, "kanana2": o200kStages, "minimax-m2": o200kStages,

	"tekken": {Tekken},
}

// SplitterNamed returns the splitters of a pre-tokenizer by the name that GGUF files give it (tokenizer.ggml.pre). Each
// is to be applied within the pieces of the one before. A name that is not known is an error.
func SplitterNamed(name string) ([]Splitter, error) {
	if s, ok := stages[name]; ok {
		return s, nil
	}
	return nil, errors.Errorf("token: pre-tokenizer %q is not known: want gpt-2, smollm, llama-bpe, qwen2, gpt-4o, tekken or another of their kind", name)
}
