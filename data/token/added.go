package token

import "strings"

// An addedVocab gives added tokens their ids as Hugging Face tokenizers does. A token of the vocabulary keeps its id
// there. Others get the next ones, in the order in which they come, whatever id the file says.
type addedVocab struct {
	vocab   map[string]int32  // the model's
	ids     map[string]int32  // of added tokens
	byID    map[int32]Special // what was added last with an id
	special map[string]bool   // texts that were added as special ones once
	plain   map[string]bool   // texts that are looked for before normalization
	order   []string          // texts, as they came
	same    map[Special]bool  // what was added, without ids
}

func newAddedVocab(vocab map[string]int32) *addedVocab {
	return &addedVocab{
		vocab: vocab, ids: map[string]int32{}, byID: map[int32]Special{}, special: map[string]bool{},
		plain: map[string]bool{}, same: map[Special]bool{},
	}
}

// add adds tokens; a text that is there already takes over the new flags.
func (v *addedVocab) add(list []Special) {
	next := int32(len(v.vocab))
	for id := range v.byID {
		next = max(next, id+1)
	}
	for _, t := range list {
		id, known := v.id(t.Text)
		t.ID = 0
		if t.Text == "" || known && v.same[t] {
			continue
		}
		if !known {
			id = next
			next++
		}
		if !t.Normalized && (t.Special || !v.special[t.Text]) {
			v.plain[t.Text] = true
		}
		v.special[t.Text] = v.special[t.Text] || t.Special
		if _, again := v.ids[t.Text]; !again {
			v.order = append(v.order, t.Text)
		}
		delete(v.same, v.byID[id])
		v.ids[t.Text], v.byID[id], v.same[t] = id, t, true
	}
}

// id is the id of an added token, else that of the vocabulary.
func (v *addedVocab) id(text string) (int32, bool) {
	if id, ok := v.ids[text]; ok {
		return id, true
	}
	id, ok := v.vocab[text]
	return id, ok
}

// list returns the tokens with their ids.
func (v *addedVocab) list() []Special {
	var list []Special
	for _, text := range v.order {
		t := v.byID[v.ids[text]]
		t.Special, t.Normalized = v.special[t.Text], !v.plain[text]
		t.ID, t.Text = v.ids[text], text
		list = append(list, t)
	}
	return list
}

// take adds the tokens that the files beside tokenizer.json name. Source: PreTrainedTokenizerFast.__init__ of
// transformers 4.57.6.
func (v *addedVocab) take(c configFile) {
	named := c.named(v)
	special := map[string]bool{}
	for _, n := range named {
		special[n.Text] = true
	}
	known, same := map[string]bool{}, map[Special]bool{}
	var list []Special
	for _, a := range c.Added {
		t := a.special()
		if t.ID = 0; !v.same[t] {
			known[t.Text], same[t] = true, true
			list = append(list, t)
		}
	}
	for _, n := range named {
		t := n.Special
		if t.ID = 0; n.object && !same[t] || !n.object && !known[t.Text] && !v.has(t.Text) {
			list = append(list, t)
		}
	}
	for i := range list {
		list[i].Special = list[i].Special || special[list[i].Text]
	}
	v.add(list)
}

func (v *addedVocab) has(text string) bool { _, ok := v.ids[text]; return ok }

// roles are the keys of special tokens, in the order in which transformers adds them.
var roles = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// A tokenClass is what transformers takes where the files of a class of tokenizers are silent.
type tokenClass struct {
	roles  map[string]string
	more   []string // additional_special_tokens
	object bool     // names count as control tokens of their own flags
	around bool     // add_bos_token and add_eos_token decide what is put around a text
	addBos bool     // the default of add_bos_token
}

// classOf returns the class that a name begins with. Source: the classes of those names, transformers 4.57.6.
func classOf(name string) tokenClass {
	three := func(unk, bos, eos string) map[string]string {
		return map[string]string{"unk_token": unk, "bos_token": bos, "eos_token": eos}
	}
	llama := three("<unk>", "<s>", "</s>")
	gemma := three("<unk>", "<bos>", "<eos>")
	gemma["pad_token"] = "<pad>"
	cohere := three("<UNK>", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>")
	end := three(endOfText, endOfText, endOfText)
	for _, c := range []struct {
		prefix string
		tokenClass
	}{
		{"CodeLlama", tokenClass{roles: llama, more: []string{"▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"}, around: true, addBos: true}},
		{"LlamaTokenizer", tokenClass{roles: llama, around: true, addBos: true}},
		{"Gemma", tokenClass{roles: gemma, around: true, addBos: true}},
		{"Cohere", tokenClass{roles: cohere, around: true, addBos: true}},
		{"GPTNeoXTokenizer", tokenClass{roles: end, around: true}},
		{"GPT2", tokenClass{roles: end}},
		{"CodeGen", tokenClass{roles: end}},
		{"Qwen2", tokenClass{object: true, roles: map[string]string{"unk_token": endOfText, "eos_token": endOfText, "pad_token": endOfText}}},
	} {
		if strings.HasPrefix(name, c.prefix) {
			return c.tokenClass
		}
	}
	return tokenClass{}
}

// modelClasses are the classes of tokenizers by model_type of config.json. Source: TOKENIZER_MAPPING_NAMES of
// transformers 4.57.6.
var modelClasses = map[string]string{
	"llama": "LlamaTokenizer", "mistral": "LlamaTokenizer", "mixtral": "LlamaTokenizer", "phi3": "LlamaTokenizer",
	"gemma": "GemmaTokenizer", "gemma2": "GemmaTokenizer", "gemma3_text": "GemmaTokenizer", "gpt2": "GPT2Tokenizer",
	"opt": "GPT2Tokenizer", "granite": "GPT2Tokenizer", "olmo3": "GPT2Tokenizer", "starcoder2": "GPT2Tokenizer",
	"qwen2": "Qwen2Tokenizer", "qwen3": "Qwen2Tokenizer", "gpt_neox": "GPTNeoXTokenizer", "olmo": "GPTNeoXTokenizer",
	"olmo2": "GPTNeoXTokenizer", "stablelm": "GPTNeoXTokenizer", "cohere": "CohereTokenizer", "cohere2": "CohereTokenizer",
	"smollm3": "PreTrainedTokenizer",
}
