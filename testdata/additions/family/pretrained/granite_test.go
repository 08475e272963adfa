package pretrained_test

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/pretrained"
)

// TestGranite runs what the golden models run, with Granite's folder and GGUF file in their place.
func TestGranite(t *testing.T) {
	all := pretrained.Goldens
	defer func() { pretrained.Goldens = all }()
	pretrained.Goldens = map[string][]string{"../testdata/additions/family": {"hf/granite", "gguf/granite.gguf"}}
	for name, test := range map[string]func(*testing.T){
		"logits": TestPretrainedLogits, "forward": TestPretrainedForward, "greedy": TestPretrainedGreedy, "beams": TestPretrainedBeams,
		"parameters": pretrained.TestParams, "round trip": pretrained.TestExport, "chain": pretrained.TestExportChain,
		"folder": pretrained.TestExportHFGolden, "GGUF": pretrained.TestExportGGUFGolden, "settings": graniteSettings,
	} {
		t.Run(name, test)
	}
}

// graniteSettings: what the zero values mean, and which settings are refused.
func graniteSettings(t *testing.T) {
	a, err := gpt.ArchitectureOfType("granite")
	if err != nil {
		t.Fatal(err)
	}
	small := gpt.Llama{Vocab: 8, Context: 8, Layers: 1, Width: 32, MLPWidth: 8, Heads: 2}
	want := gpt.Granite{Llama: small, EmbeddingScale: 1, ResidualScale: 1, AttentionScale: 0.25, LogitDivisor: 1}
	if got := a.Canonical(gpt.Granite{Llama: small}); got != a.Canonical(want) {
		t.Errorf("%+v; want multipliers of 1, and 1/√16 for the scores", got)
	}
	bad := want
	if bad.ResidualScale = -1; bad.Validate() == nil {
		t.Error("a multiplier of -1 is no error")
	}
	s := gpt.SettingsOf(map[string]any{"logits_scaling": 0.})
	if a.Read(s); s.Err() == nil || !strings.Contains(s.Err().Error(), "logits_scaling is 0") {
		t.Errorf("%v; want an error about logits_scaling", s.Err())
	}
	bad = want
	if bad.Window = 4; bad.Validate() != nil {
		t.Error(bad.Validate())
	}
	if _, _, err := a.GGUF.Write(a.Canonical(bad)); err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("%v; want an error about the window", err)
	}
}
