package token

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/ceto-ml/ceto/internal/bounded"
	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/pkg/errors"
)

// Open reads the tokenizer at a path: one of these files, or a folder with one of them, the first of this order:
//
//	tokenizer.json            Hugging Face tokenizers, model BPE
//	vocab.json, merges.txt    a byte-level BPE; either names both
//	encoder.json, vocab.bpe   GPT-2's own; either names both
//	ceto_tokenizer.json       see [Save]
//	*.gguf                    see [FromGGUF]
//	tok*.bin                  llama2.c's, see [ReadLlama2C]
//
// Hugging Face's tokenizer_config.json in the same folder names begin and end tokens. Without any file the error is
// fs.ErrNotExist. Memory grows with the size of the files, whatever numbers are in them.
func Open(path string) (Tokenizer, error) {
	if err := atomicfile.Recover(atomicfile.OS, path); err != nil {
		return nil, errors.Wrap(err, "token: Open")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "token: Open")
	}
	if !info.IsDir() {
		return openFile(path)
	}
	for _, pattern := range []string{"tokenizer.json", "vocab.json", "encoder.json", FileName, "*.gguf", "tok*.bin"} {
		files, err := filepath.Glob(filepath.Join(escapeGlob(path), pattern))
		if err != nil {
			return nil, errors.Wrap(err, "token: Open")
		}
		if len(files) > 1 {
			return nil, errors.Errorf("token: Open: %s: %d files %s: want one, or its name", path, len(files), pattern)
		}
		if len(files) == 1 {
			return openFile(files[0])
		}
	}
	if atomicfile.Exists(filepath.Join(path, "tokenizer.model")) {
		return nil, errors.Wrapf(fs.ErrNotExist, "token: Open: %s: tokenizer.model alone is not read, want a tokenizer.json, "+
			"which save_pretrained of transformers' AutoTokenizer writes", path)
	}
	return nil, errors.Wrapf(fs.ErrNotExist, "token: Open: %s: no tokenizer.json, vocab.json, encoder.json, %s, *.gguf or tok*.bin", path, FileName)
}

// escapeGlob returns a pattern that matches a path and no other.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// openFile reads a tokenizer by the name of its file.
func openFile(path string) (Tokenizer, error) {
	var t Tokenizer
	var err error
	dir, name := filepath.Split(path)
	switch {
	case name == FileName:
		return Load(filepath.Clean(dir + "."))
	case name == "vocab.json" || name == "merges.txt":
		t, err = openVocab(dir, "vocab.json", "merges.txt")
	case name == "encoder.json" || name == "vocab.bpe":
		t, err = openVocab(dir, "encoder.json", "vocab.bpe")
	case strings.HasSuffix(name, ".json"):
		t, err = openJSON(path)
	case strings.HasSuffix(name, ".gguf"):
		t, err = openGGUF(path)
	case strings.HasSuffix(name, ".bin"):
		t, err = openLlama2C(path)
	default:
		return nil, errors.Errorf("token: Open: %s: want a .json, .gguf or .bin file, merges.txt or vocab.bpe", path)
	}
	if err != nil {
		return nil, errors.Wrapf(err, "token: Open: %s", path)
	}
	return t, nil
}

func openGGUF(path string) (Tokenizer, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return FromGGUF(f)
}

func openLlama2C(path string) (Tokenizer, error) {
	f, err := bounded.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadLlama2C(f, 0)
}
