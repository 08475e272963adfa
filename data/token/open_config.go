package token

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/pkg/errors"
)

// configFile is what the files beside a tokenizer's vocabulary say of its tokens: tokenizer_config.json and, in older
// folders, special_tokens_map.json and added_tokens.json.
type configFile struct {
	Class          string
	AddBos, AddEos *bool
	AddPrefixSpace *bool
	Roles          map[string]*namedToken // nil for null
	More           []namedToken           // additional_special_tokens
	Added          []jsonToken            // added_tokens_decoder or added_tokens.json, by ascending id
	there          bool                   // a tokenizer_config.json is, and not one that an older Ceto wrote
	legacy         bool                   // there is no added_tokens_decoder
}

// namedToken is a token that is written as its text or as an object with it.
type namedToken struct {
	Special
	object bool
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *namedToken) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte("{")) {
		t.Special = Special{Special: true}
		return json.Unmarshal(b, &t.Text)
	}
	flags := jsonFlags{}
	err := json.Unmarshal(b, &flags)
	t.object, t.Special = true, jsonToken{0, flags}.special()
	return err
}

// UnmarshalJSON implements [json.Unmarshaler]. A token is looked for in the normalized text unless it is special.
func (f *jsonFlags) UnmarshalJSON(b []byte) error {
	type flags jsonFlags
	x := struct {
		Normalized *bool `json:"normalized"`
		*flags
	}{flags: (*flags)(f)}
	err := json.Unmarshal(b, &x)
	f.Normalized = is(x.Normalized, !f.Special)
	return err
}

// readConfig reads those files of a folder. Without them the config says nothing.
func readConfig(dir string) (configFile, error) {
	c := configFile{Roles: map[string]*namedToken{}}
	config, there, err := c.read(dir, "tokenizer_config.json")
	if err != nil {
		return c, err
	}
	c.there = there && (config["add_prefix_space"] != nil || config["model_max_length"] != nil || config["model_input_names"] == nil)
	if err := c.classOfModel(dir); err != nil {
		return c, err
	}
	if err := c.settings(config); err != nil {
		return c, errors.Wrap(err, "tokenizer_config.json")
	}
	if raw, ok := config["added_tokens_decoder"]; ok {
		return c, errors.Wrap(c.decoder(raw), "tokenizer_config.json: added_tokens_decoder")
	}
	c.legacy = true
	names, _, err := c.read(dir, "special_tokens_map.json")
	if err == nil {
		err = errors.Wrap(c.tokens(names, true), "special_tokens_map.json")
	}
	if err != nil {
		return c, err
	}
	ids, _, err := c.read(dir, "added_tokens.json")
	if err == nil {
		err = errors.Wrap(c.encoder(ids), "added_tokens.json")
	}
	return c, err
}

// read returns the entries of an object in a file.
func (c *configFile) read(dir, name string) (map[string]json.RawMessage, bool, error) {
	data, err := bounded.ReadFile(filepath.Join(dir, name), maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	var m map[string]json.RawMessage
	return m, true, errors.Wrap(json.Unmarshal(data, &m), name)
}

// classOfModel takes the class that config.json names or implies. That of tokenizer_config.json goes before it.
func (c *configFile) classOfModel(dir string) error {
	m, _, err := c.read(dir, "config.json")
	if err != nil {
		return err
	}
	var class, kind string
	json.Unmarshal(m["tokenizer_class"], &class) // another type than a text says nothing
	json.Unmarshal(m["model_type"], &kind)
	c.Class = cmp.Or(class, modelClasses[kind])
	return nil
}

// settings takes what tokenizer_config.json says.
func (c *configFile) settings(m map[string]json.RawMessage) error {
	for key, to := range map[string]any{
		"tokenizer_class": &c.Class, "add_bos_token": &c.AddBos, "add_eos_token": &c.AddEos, "add_prefix_space": &c.AddPrefixSpace,
	} {
		if raw, ok := m[key]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return errors.Wrap(err, key)
			}
		}
	}
	return c.tokens(m, false)
}

// tokens takes the special tokens by their keys. Those of special_tokens_map.json replace others and are control
// tokens.
func (c *configFile) tokens(m map[string]json.RawMessage, special bool) error {
	for _, key := range roles {
		raw, ok := m[key]
		if !ok {
			continue
		}
		var t *namedToken
		if err := json.Unmarshal(raw, &t); err != nil {
			return errors.Wrap(err, key+": want a text or an object with its content")
		}
		c.Roles[key] = t.marked(special)
	}
	const key = "additional_special_tokens"
	var list []namedToken
	if raw, ok := m[key]; ok {
		if err := json.Unmarshal(raw, &list); err != nil {
			return errors.Wrap(err, key+": want a list of texts")
		}
	}
	for _, t := range list {
		c.More = append(c.More, *t.marked(special))
	}
	return nil
}

// marked makes an object a control token, which is not looked for in the normalized text unless it says so.
func (t *namedToken) marked(special bool) *namedToken {
	if t != nil && special && t.object {
		t.Special.Special = true
	}
	return t
}

// decoder takes added_tokens_decoder.
func (c *configFile) decoder(raw json.RawMessage) error {
	var m map[string]jsonFlags
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	for key, flags := range m {
		id, err := strconv.ParseInt(strings.TrimSpace(key), 10, 32)
		if err != nil {
			return errors.Errorf("key %q, want an id", key)
		}
		c.Added = append(c.Added, jsonToken{int32(id), flags})
	}
	c.sort()
	return nil
}

// encoder takes added_tokens.json.
func (c *configFile) encoder(m map[string]json.RawMessage) error {
	special := map[string]bool{}
	for _, t := range c.More {
		special[t.Text] = true
	}
	for _, t := range c.Roles {
		if t != nil {
			special[t.Text] = true
		}
	}
	byID := map[int32]bool{}
	for text, raw := range m {
		var id int32
		if err := json.Unmarshal(raw, &id); err != nil {
			return errors.Wrapf(err, "%q: want an id", text)
		}
		if byID[id] {
			return errors.Errorf("id %d is there twice: want one text for each", id)
		}
		byID[id] = true
		c.Added = append(c.Added, jsonToken{id, jsonFlags{Content: text, Normalized: !special[text], Special: special[text]}})
	}
	c.sort()
	return nil
}

func (c *configFile) sort() {
	slices.SortFunc(c.Added, func(a, b jsonToken) int { return cmp.Compare(a.ID, b.ID) })
}

// named lists the special tokens by the order of their keys, each text once. A text that v or the config adds stands
// for the token with the flags there.
func (c *configFile) named(v *addedVocab) []namedToken {
	class := classOf(c.Class)
	var list []namedToken
	seen := map[string]bool{}
	put := func(t namedToken) {
		if t.Text != "" && !seen[t.Text] {
			seen[t.Text] = true
			list = append(list, t)
		}
	}
	for _, key := range roles {
		t, ok := c.Roles[key]
		if def := class.roles[key]; !ok && def != "" {
			t = &namedToken{Special: Special{Text: def, Special: true}}
		}
		if t != nil {
			put(c.resolve(*t, v, class.object))
		}
	}
	for _, t := range c.More {
		put(t)
	}
	for _, text := range class.more {
		put(namedToken{Special: Special{Text: text, Special: true}})
	}
	return list
}

// resolve finds the flags of a token that is named by its text.
func (c *configFile) resolve(t namedToken, v *addedVocab, object bool) namedToken {
	i := slices.IndexFunc(c.Added, func(a jsonToken) bool { return a.Content == t.Text })
	if i >= 0 {
		return namedToken{c.Added[i].special(), true}
	}
	if id, ok := v.ids[t.Text]; ok && c.legacy {
		return namedToken{v.byID[id], true}
	}
	t.object = t.object || object
	return t
}

// text returns the text of a token by its key, "" for none.
func (c *configFile) text(key string) string {
	if t, ok := c.Roles[key]; ok {
		if t == nil {
			return ""
		}
		return t.Text
	}
	return classOf(c.Class).roles[key]
}

const endOfText = "<|endoftext|>"

// ends fills in the begin and end tokens, and whether they are put around a text. Where template is true, add_bos_token
// and add_eos_token decide the latter. Where it is false, tokenizer.json has decided, and they count for those classes
// alone that transformers asks.
func (c *configFile) ends(b *BPEConfig, v *addedVocab, template bool) error {
	class := classOf(c.Class)
	for key, to := range map[string]**int32{"bos_token": &b.Begin, "eos_token": &b.End} {
		if id, ok := v.id(c.text(key)); ok {
			*to = &id
		}
	}
	if !template && !class.around {
		return nil
	}
	b.Before, b.After = nil, nil
	if strings.HasPrefix(c.Class, "Qwen2") {
		return nil
	}
	if is(c.AddBos, class.addBos) {
		if b.Begin == nil {
			return errors.Errorf("tokenizer_config.json: add_bos_token, and bos_token %q: want one of the tokens", c.text("bos_token"))
		}
		b.Before = []int32{*b.Begin}
	}
	if is(c.AddEos, false) && !strings.HasPrefix(c.Class, "GPT2") {
		if b.End == nil {
			return errors.Errorf("tokenizer_config.json: add_eos_token, and eos_token %q: want one of the tokens", c.text("eos_token"))
		}
		b.After = []int32{*b.End}
	}
	return nil
}
