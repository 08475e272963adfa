package main

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/ceto-ml/ceto/gpt/generate"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/ceto-ml/ceto/train/pretrain"
)

// settingsFile is the table of all settings.
const settingsFile = "../../docs/settings.md"

const settingsHead = `# Settings

This page is written by ` + "`go test ./cmd/ceto -run TestSettingsTable -update`" + ` from the declarations of the settings.

A setting may be given in a YAML file (` + "`--config FILE`" + `), by ` + "`--set train.lr=0.001`" + `, or by its flag.
A flag overrides ` + "`--set`" + `, which overrides the file. Keys that are not known are refused. A run keeps its settings,
resolved, in ` + "`run.yaml`" + `:

` + "```yaml" + `
kind: pretrain   # or finetune
version: 2
data:
  path: /texts/input.txt
train:
  lr: 0.001
  warmup: 100
` + "```" + `

In a file of one's own ` + "`kind` and `version`" + ` may be left out. The section ` + "`train`" + ` has the same keys for both kinds, as far
as they mean the same.

` + "`train.warmup`" + ` is a number of steps from 1 on, and below 1 a share of all steps. A file without a
version is older: in those of fine-tuning a warmup was always a share, so that 1 is the whole run. All other values mean what
they mean now.
`

// TestSettingsTable: the page in docs agrees with the declarations.
func TestSettingsTable(t *testing.T) {
	tiny, err := pretrain.Preset(pretrain.DefaultPreset)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(settingsHead)
	for _, section := range []struct {
		title, text string
		v           any
	}{
		{"ceto pretrain", "Defaults are those of the preset tiny; others have others.", &tiny},
		{"ceto finetune", "In a file, 0 and the empty text stand for the default.", &finetune.Settings{}},
		{"ceto generate, ceto chat", "These are flags only. A model's own files may name other defaults.", &generate.Options{}},
	} {
		if err := setting.Lint(section.v); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", section.title, section.text)
		if err := setting.Table(&b, section.v); err != nil {
			t.Fatal(err)
		}
	}
	if *updateDigests {
		if err := os.WriteFile(settingsFile, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(settingsFile); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is not that of the declarations (%v); write it anew: go test ./cmd/ceto -run TestSettingsTable -update", settingsFile, err)
	}
}

// TestFlagDeclarations: the tags of the commands' own flags can be read.
func TestFlagDeclarations(t *testing.T) {
	for _, v := range []any{&runFlags{}, &repeatFlags{}, &modelFlags{}, &sampleFlags{}, &chatFlags{}, &generateFlags{},
		&inspectFlags{}, &useFlags{}, &exportFlags{}, &trainTokenizerFlags{}, &corpusFlags{}, &checkFlags{},
		&benchGemmFlags{}, &benchStepFlags{}, &benchGenerateFlags{}, &global{}, &pullFlags{}, &gradcheckFlags{}, &xorFlags{}, &tokenizeFlags{}} {
		if err := setting.Lint(v); err != nil {
			t.Error(err)
		}
	}
}
