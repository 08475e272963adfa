package token

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// smallJSON is a tokenizer.json whose parts the rows of TestJSONErrors replace.
const smallJSON = `{"added_tokens":[{"id":4,"content":"<e>","special":true}],"normalizer":null,` +
	`"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"post_processor":null,"decoder":null,` +
	`"model":{"type":"BPE","vocab":{"a":0,"b":1,"Ġ":2,"ab":3},"merges":["a b"]}}`

func TestJSONErrors(t *testing.T) {
	if b, err := parseJSON([]byte(smallJSON), configFile{}); err != nil || b.Vocab() != 5 {
		t.Fatalf("the file as it is: %v", err)
	}
	for _, c := range []struct{ old, new, err string }{
		{`{"added`, `["added`, "invalid character"},
		{`"a":0`, `"a":5`, ``},
		{`"a":0`, `"a":2147483647`, "id 2147483647, want a text, and an id from 0 to"},
		{`"a":0`, `"a":2147483647`, "id 2147483647"},
		{`"a":0`, `"a":2147483648`, "2147483648"},
		{`"a":0`, `"a":-1`, "id -1"},
		{`"a":0`, `"a":0.5`, "0.5"},
		{`"a":0`, `"a":1`, ``},
		{`"a":0`, `"":0`, `token "": id 0`},
		{`"a":0`, `"a":0,"a":0`, ``},
		{`"a":0`, `"z":0`, `merge 0 of "a" and "b"`},
		{`"ab":3`, `"ba":3`, `merge 0 of "a" and "b"`},
		{`"id":4`, `"id":6`, ``},
		{`"id":4`, `"id":3`, ``},
		{`"<e>"`, `"ab"`, ``},
		{`"<e>"`, `""`, ``},
		{`"special":true}`, `"special":true},{"id":5,"content":"<e>"}`, ``},
		{`"a b"`, `"ab"`, `merge "ab": want two tokens`},
		{`"a b"`, `"a b c"`, `want two tokens`},
		{`"a b"`, `["a"]`, `merge of 1 tokens`},
		{`"a b"`, `7`, "cannot unmarshal number"},
		{`"BPE"`, `"Unigram"`, `type "Unigram", want BPE`},
		{`"BPE"`, `"BPE","dropout":0.1`, "dropout 0.1"},
		{`"BPE"`, `"BPE","end_of_word_suffix":"</w>"`, `end_of_word_suffix "</w>"`},
		{`"BPE"`, `"BPE","unk_token":"?"`, ``},
		{`"model"`, `"modal"`, "model"},
		{`"normalizer":null`, `"normalizer":{"type":"Lowercase"}`, `normalizer "Lowercase"`},
		{`"type":"ByteLevel",`, `"type":"Whitespace",`, `pre_tokenizer "Whitespace": want ByteLevel`},
		{`{"type":"ByteLevel","add_prefix_space":false}`, `{"type":"Sequence","pretokenizers":[{"type":"Punctuation"},{"type":"ByteLevel","add_prefix_space":false}]}`, `pre_tokenizer "Punctuation"`},
		{`{"type":"ByteLevel","add_prefix_space":false}`, `{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]}`, `want it last`},
		{`{"type":"ByteLevel","add_prefix_space":false}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[x]"},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false}]}`, `"[x]"`},
		{`{"type":"ByteLevel","add_prefix_space":false}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}"},"behavior":"Removed","invert":true},{"type":"ByteLevel","add_prefix_space":false}]}`, `behavior "Removed"`},
		{`{"type":"ByteLevel","add_prefix_space":false}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":" "},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false}]}`, `want a pattern that is a Regex`},
		{`{"type":"ByteLevel","add_prefix_space":false}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}"},"behavior":"Isolated","invert":true},{"type":"ByteLevel","add_prefix_space":false}]}`, `behavior "Isolated", invert true`},
		{`"post_processor":null`, `"post_processor":{"type":"BertProcessing"}`, `post_processor "BertProcessing"`},
		{`"post_processor":null`, `"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>"}}]}`, `"<x>" is not among`},
		{`"post_processor":null`, `"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}]}`, `the sequence A, once`},
		{`"post_processor":null`, `"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>"}}],"special_tokens":{"<x>":{"ids":[99]}}}`, `token 99 around a text`},
	} {
		file := strings.Replace(smallJSON, c.old, c.new, 1)
		if file == smallJSON {
			t.Fatalf("%s is not in the file", c.old)
		}
		_, err := parseJSON([]byte(file), configFile{})
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s → %s: error %v, want %q", c.old, c.new, err, c.err)
		}
	}
}

// TestJSONSpaces has the ways to put a ▁ before a text, and unknown characters side by side. Ids: <unk> 0, ▁ 1, a 2,
// ▁a 3, <e> 4.
func TestJSONSpaces(t *testing.T) {
	replace := `{"type":"Replace","pattern":{"String":" "},"content":"▁"}`
	metaspace := `null,"pre_tokenizer":{"type":"Metaspace","replacement":"▁","split":false,"prepend_scheme":`
	for _, c := range []struct{ normalizer, model, want string }{
		{`{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},` + replace + `]}`, "", "[3 3 4 3 4 1 3 0 0]"},
		{replace, `"byte_fallback":true,`, "[2 3 4 2 4 3 0 0]"},
		{replace, `"byte_fallback":true,"fuse_unk":true,`, "[2 3 4 2 4 3 0]"},
		{metaspace + `"always"}`, "", "[3 3 4 3 4 3 0 0]"},
		{metaspace + `"first"}`, "", "[3 3 4 2 4 3 0 0]"},
		{metaspace + `"never"}`, "", "[2 3 4 2 4 3 0 0]"},
		{metaspace + `"last"}`, "", `prepend_scheme "last"`},
		{`{"type":"NFKC"}`, `"byte_fallback":true,`, `normalizer "NFKC"`},
		{`null`, `"byte_fallback":true,`, "want one that writes spaces as ▁"},
		{replace, `"byte_fallback":true,"ignore_merges":true,`, "ignore_merges without ByteLevel"},
		{strings.Replace(metaspace, "false", "true", 1) + `"first"}`, "", "a Metaspace with ▁ that does not split"},
	} {
		file := `{"added_tokens":[{"id":4,"content":"<e>","special":true}],"normalizer":` + c.normalizer + `,"model":{"type":"BPE",` +
			c.model + `"unk_token":"<unk>","vocab":{"<unk>":0,"▁":1,"a":2,"▁a":3},"merges":["▁ a"]}}`
		tok, err := parseJSON([]byte(file), configFile{})
		got := fmt.Sprint(err)
		if err == nil {
			ids, err := tok.Encode([]byte("a a<e>a<e> aéé"))
			if got = fmt.Sprint(ids); err != nil {
				got = err.Error()
			}
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s, want %s", c.normalizer, c.model, got, c.want)
		}
	}
}

// TestJSONMemory holds that memory grows with the bytes of a file and not with the numbers in it. About 20 bytes are
// allocated in all for each byte of the file, most of them for the tables that encoding looks into.
func TestJSONMemory(t *testing.T) {
	for _, name := range []string{"gpt2", "llama2", "roberta"} {
		data, err := os.ReadFile(filepath.Join("testdata", "hf", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{string(data), strings.Replace(string(data), ":0", ":2147483647", 1), `{"model":` + strings.Repeat(`[`, 9000)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := parseJSON([]byte(file), configFile{})
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 40*uint64(len(file)) {
				t.Errorf("%s: %.40s…: %d bytes for %d, error %v", name, file, n, len(file), err)
			}
		}
	}
}

// TestSaveFiles writes each golden tokenizer and reads it back: from tokenizer.json and, GPT-2's, from vocab.json and
// merges.txt.
func TestSaveFiles(t *testing.T) {
	g := readGolden(t)
	for name := range g.Cases {
		tok := openGolden(t, name)
		dir := t.TempDir()
		if err := Save(dir, tok); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, o := range []Options{{}, {Add: true}, {Policy: AsText}} {
			read, err := Open(dir)
			same(t, name, tok, read, err, o, g.Texts)
			if err != nil {
				continue
			}
			if begin, _ := read.(Subword).Begin(); begin != first(tok.Begin()) || first(read.(Subword).End()) != first(tok.End()) {
				t.Errorf("%s: begin or end differ", name)
			}
			if name == "gpt2" {
				read, err := Open(filepath.Join(dir, "vocab.json"))
				same(t, name+" vocab.json", tok, read, err, o, g.Texts)
			}
			if written, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); err != nil || bytes.Contains(written, []byte(`"byte_fallback": true`)) != (tok.Name() != "bpe") {
				t.Errorf("%s: %v: byte_fallback for a tokenizer of kind %s", name, err, tok.Name())
			}
			if written, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json")); err != nil || bytes.Contains(written, []byte("token_type_ids")) || !bytes.Contains(written, []byte(`"model_input_names"`)) {
				t.Errorf("%s: %v: transformers would give the model token types: %s", name, err, written)
			}
			if b, ok := tok.(*BPE); ok {
				again, err := NewBPE(b.Config())
				same(t, name+" Config", tok, again, err, o, g.Texts)
			}
		}
	}
}

func first(id int32, ok bool) int32 { return id }

// same tells whether a tokenizer gives the ids of another.
func same(t *testing.T, name string, b Subword, tok Tokenizer, err error, o Options, texts []string) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	read := tok.(Subword)
	if !slices.Equal(b.Specials(), read.Specials()) {
		t.Errorf("%s: specials %v, want %v", name, read.Specials(), b.Specials())
	}
	for _, text := range texts {
		want, err := b.EncodeWith([]byte(text), o)
		got, err2 := read.EncodeWith([]byte(text), o)
		if err != nil || err2 != nil || !slices.Equal(got, want) {
			t.Errorf("%s %q: %v, %v, ids\n%d, want\n%d", name, text, err, err2, got, want)
		}
	}
}

func FuzzOpenJSON(f *testing.F) {
	f.Add([]byte(smallJSON), "ab <e>")
	for _, name := range []string{"roberta", "qwen2", "llama3", "llama2", "fused"} {
		data, err := os.ReadFile(filepath.Join("testdata", "hf", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "the <mask> 12 é")
	}
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		tok, err := parseJSON(file, configFile{})
		if err != nil {
			return
		}
		ids, spans, err := tok.Offsets([]byte(text), Options{Add: true})
		if err != nil {
			t.Fatal(err)
		}
		tok.Decode(ids)
		last := 0
		for i, s := range spans {
			if s[0] < 0 || s[1] < s[0] || s[1] > len(text) || ids[i] < 0 || int(ids[i]) >= tok.Vocab() {
				t.Fatalf("%q: token %d, id %d: span %d after %d", text, i, ids[i], s, last)
			}
			last = s[1]
		}
		if files, err := tok.(interface{ files() ([]writtenFile, error) }).files(); err == nil {
			var written bytes.Buffer
			if err := files[0].write(&written); err != nil {
				t.Fatal(err)
			}
			again, err := parseJSON(written.Bytes(), configFile{})
			same(t, "written", tok, again, err, Options{}, []string{text})
		}
	})
}
