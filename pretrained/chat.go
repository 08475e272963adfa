package pretrained

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// The files of chat templates beside [ChatFile] and [TokenizerFile].
const (
	chatFolder     = "additional_chat_templates" // NAME.jinja for each template that is not the default
	chatJSON       = "chat_template.json"        // of a processor; a tokenizer does not read it
	specialMapFile = "special_tokens_map.json"
)

// defaultChat is the name of the template that transformers takes where none is named.
const defaultChat = "default"

// A namedChat is a chat template of a model that has several.
type namedChat struct{ Name, Template string }

// readChat reads the chat template in the order of transformers' tokenizers. The files [ChatFile] and those of
// additional_chat_templates come first, then tokenizer_config.json. Last comes chat_template.json, which transformers
// reads for processors alone.
func (s *Source) readChat(dir string) error {
	s.special = func() (map[string]any, error) { return readSpecial(dir) }
	all, err := chatFiles(dir)
	for _, name := range []string{TokenizerFile, chatJSON} {
		if err == nil && all == nil {
			all, err = chatsOf(dir, name)
		}
	}
	if err != nil {
		return err
	}
	s.chats = nil
	for _, c := range all {
		if c.Name == defaultChat {
			s.Chat = c.Template
		}
		s.chats = append(s.chats, c.Name)
	}
	return nil
}

// chatFiles returns the templates that have files of their own, nil for none.
func chatFiles(dir string) (all []namedChat, err error) {
	files, _ := filepath.Glob(filepath.Join(dir, chatFolder, "*.jinja"))
	for _, path := range append([]string{filepath.Join(dir, ChatFile)}, files...) {
		b, err := bounded.ReadFile(path, maxJSON)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		name := defaultChat
		if filepath.Base(filepath.Dir(path)) == chatFolder {
			name = strings.TrimSuffix(filepath.Base(path), ".jinja")
		}
		all = append(all, namedChat{name, string(b)})
	}
	return all, nil
}

// chatsOf returns the templates of the key chat_template of a JSON file: one as a string, or a list of named ones. It
// returns nil for none.
func chatsOf(dir, file string) ([]namedChat, error) {
	var c struct {
		Chat json.RawMessage `json:"chat_template"`
	}
	err := readJSON(dir, file, &c)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (len(c.Chat) == 0 || string(c.Chat) == "null") {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var one string
	if json.Unmarshal(c.Chat, &one) == nil {
		return []namedChat{{defaultChat, one}}, nil
	}
	var named []namedChat
	if json.Unmarshal(c.Chat, &named) == nil && !slices.ContainsFunc(named, func(n namedChat) bool { return n.Name == "" }) {
		return named, nil
	}
	var byName map[string]string
	if err := json.Unmarshal(c.Chat, &byName); err != nil {
		return nil, errors.Errorf(`%s: chat_template: want a text, or a list of {"name": …, "template": …}`, file)
	}
	for name, text := range byName {
		named = append(named, namedChat{name, text})
	}
	slices.SortFunc(named, func(a, b namedChat) int { return strings.Compare(a.Name, b.Name) })
	return named, nil
}

// readGGUFChat reads the chat template and the special tokens of a GGUF file. Its other templates have a name in their
// key, and a list of the names.
func (s *Source) readGGUFChat(f *gguf.File) {
	s.Chat, _ = f.String("tokenizer.chat_template")
	s.chats, _ = f.Strings("tokenizer.chat_templates")
	if s.Chat == "" {
		s.Chat, _ = f.String("tokenizer.chat_template." + defaultChat)
	}
	s.special = func() (map[string]any, error) {
		special, texts := map[string]any{}, []string(nil)
		texts, _ = f.Strings("tokenizer.ggml.tokens")
		for name, key := range map[string]string{"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding",
			"cls": "cls", "mask": "mask"} { // seperator is how GGUF spells it
			if id, ok := f.Int("tokenizer.ggml." + key + "_token_id"); ok && id >= 0 && id < int64(len(texts)) {
				special[name+"_token"] = texts[id]
			}
		}
		return special, nil
	}
}

// specialNames are the special tokens that templates see, by the names of transformers.
var specialNames = strings.Fields("bos_token eos_token unk_token sep_token pad_token cls_token mask_token additional_special_tokens")

// readSpecial returns the special tokens that the files of a folder name. As in transformers, special_tokens_map.json
// wins where tokenizer_config.json has no added_tokens_decoder, and is not read else.
func readSpecial(dir string) (map[string]any, error) {
	var config, given map[string]json.RawMessage
	if err := readJSON(dir, TokenizerFile, &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, ok := config["added_tokens_decoder"]; !ok {
		if err := readJSON(dir, specialMapFile, &given); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	special := map[string]any{}
	for _, name := range specialNames {
		raw, ok := given[name]
		file := specialMapFile
		if !ok {
			if raw, ok = config[name]; !ok {
				continue
			}
			file = TokenizerFile
		}
		v, err := specialText(raw)
		if err != nil {
			return nil, errors.Wrapf(err, "%s: %s", file, name)
		}
		if list, ok := v.([]any); ok && given[name] != nil {
			v = union(config[name], list)
		}
		special[name] = v
	}
	return special, addExtra(special, config["extra_special_tokens"])
}

// union returns the tokens of a list in JSON, then those of more that it lacks.
func union(raw json.RawMessage, more []any) any {
	v, _ := specialText(raw)
	all, _ := v.([]any)
	for _, t := range more {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// addExtra adds the tokens of extra_special_tokens, an object whose keys are names such as image_token.
func addExtra(special map[string]any, raw json.RawMessage) error {
	var extra map[string]json.RawMessage
	if json.Unmarshal(raw, &extra) != nil {
		return nil // a list of tokens without names
	}
	for name, token := range extra {
		v, err := specialText(token)
		if err != nil {
			return errors.Wrapf(err, "%s: extra_special_tokens: %s", TokenizerFile, name)
		}
		special[name] = v
	}
	return nil
}

// specialText reads a token, or a list of them. A token is its text, or an object with it. nil and an empty list are
// no token.
func specialText(raw json.RawMessage) (any, error) {
	var text *string
	var object struct{ Content string }
	var list []json.RawMessage
	if json.Unmarshal(raw, &text) == nil {
		if text == nil || *text == "" {
			return nil, nil
		}
		return *text, nil
	}
	if json.Unmarshal(raw, &object) == nil && object.Content != "" {
		return object.Content, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.Errorf("%.60s: want a token's text, or an object with its content", raw)
	}
	var texts []any
	for _, item := range list {
		v, err := specialText(item)
		if err != nil {
			return nil, err
		}
		if v != nil {
			texts = append(texts, v)
		}
	}
	if texts == nil {
		return nil, nil
	}
	return texts, nil
}

// HasChat tells whether the model has chat templates. Where none of several is the default, Chat is "" and Template an
// error all the same.
func (s *Source) HasChat() bool { return s.Chat != "" || len(s.chats) > 0 }

// Template returns the model's chat template. It may print special tokens: those that the model's files name, and the
// begin and end token of t. A model without a template is an error, and so is an unknown construct.
func (s *Source) Template(t token.Tokenizer) (*generate.ChatTemplate, error) {
	switch {
	case s.Chat == "" && len(s.chats) > 0:
		return nil, errors.Errorf("pretrained: %s has several chat templates and none named default: %s", s.Path, strings.Join(s.chats, ", "))
	case s.Chat == "":
		return nil, errors.Errorf("pretrained: %s has no chat template: it is not a model for chats", s.Path)
	}
	c, err := generate.ParseTemplate(s.Chat, t)
	if err == nil && s.special != nil {
		var special map[string]any
		special, err = s.special()
		for name, v := range special {
			c.Special[name] = v
			if v == nil { // the files say that there is none
				delete(c.Special, name)
			}
		}
	}
	return c, errors.Wrapf(err, "pretrained: %s", s.Path)
}
