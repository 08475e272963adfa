package pretrained

import (
	"path/filepath"
	"strings"
	"testing"
)

// Goldens are the folders of golden models, with the patterns of what testdata/golden_hf.py has written to each.
var Goldens = map[string][]string{"../gpt/testdata": {"hf/*", "gguf/*.gguf", "llmc/*.bin", "llama2c/*.bin"}}

// Golden lists the golden models of a kind: "hf", "gguf", "llmc" or "llama2c"; "" for all. A pattern that matches
// nothing is an error.
func Golden(t *testing.T, kind string) (all []string) {
	t.Helper()
	for folder, patterns := range Goldens {
		for _, p := range patterns {
			if kind != "" && !strings.HasPrefix(p, kind+"/") {
				continue
			}
			found, err := filepath.Glob(filepath.Join(folder, p))
			if err != nil || len(found) == 0 {
				t.Fatalf("%s/%s: %d models, error %v", folder, p, len(found), err)
			}
			all = append(all, found...)
		}
	}
	return all
}
