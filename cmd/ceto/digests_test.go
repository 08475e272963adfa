package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/vec"
)

var updateDigests = flag.Bool("update", false, "write testdata/digests.json anew")

// digestFile holds what the program printed before its packages were moved. A change that only moves code leaves the
// file as it is.
const digestFile = "../../testdata/digests.json"

// digests is digestFile.
type digests struct {
	// Values are, for each CPU path and each run of [valueRuns], what valueOf returns: digests of parameters, ids.
	Values map[string]map[string]string `json:"values"`
	// Keys are the JSON keys of each output of [keyRuns], and of the files of runs.
	Keys map[string][]string `json:"keys"`
}

// A programRun is one call of the program, in the folder that the runs of a list share.
type programRun struct {
	name  string
	stdin string
	args  string // with spaces between; MODELS stands for the folder of the tiny models
}

const (
	digestPretrain = "pretrain --data corpus.txt --eval-every 4 --json --threads 2 --seed 7 "
	digestFinetune = "finetune --model MODELS/hf/llama-chat --json --threads 2 --seed 3 "
)

// valueRuns are the runs whose numbers must not change.
var valueRuns = []programRun{
	{"pretrain tiny", "", digestPretrain + "--preset tiny --steps 6 --batch 4 --out tiny"},
	{"pretrain shakespeare-char-cpu", "", digestPretrain + "--preset shakespeare-char-cpu --steps 6 --batch 4 --out shakespeare"},
	{"pretrain dropout", "", digestPretrain + "--preset tiny --set model.dropout=0.2 --set model.layers=2 --context 16 --steps 6 --batch 4 --out dropout"},
	{"pretrain accumulate", "", digestPretrain + "--preset tiny --set model.layers=2 --context 16 --steps 4 --batch 2 --accumulate 3 --out accumulate"},
	{"pretrain recompute", "", digestPretrain + "--preset tiny --set model.layers=2 --context 32 --steps 4 --batch 4 --recompute 0.5 --out recompute"},
	{"finetune classify", "", digestFinetune + "--data texts.csv --task classify --epochs 2 --out classify"},
	{"finetune classify ema", "", digestFinetune + "--data texts.csv --task classify --epochs 2 --ema 0.9 --lora-dropout 0.1 --pool last --out ema"},
	{"finetune classify full", "", digestFinetune + "--data texts.csv --task classify --method full --epochs 1 --accumulate 2 --recompute 0.3 --out full"},
	{"finetune classify augmented", "", digestFinetune + "--data texts.csv --task classify --no-head-fit --augment-swap 0.2 --augment-delete 0.1 --epochs 2 --out augmented"},
	{"finetune classify random", "", digestFinetune + "--data texts.csv --task classify --random --epochs 1 --out random"},
	{"finetune multilabel", "", digestFinetune + "--data labels.csv --task multilabel --label labels --epochs 1 --out multilabel"},
	{"finetune regress", "", digestFinetune + "--data labels.csv --task regress --label number --epochs 1 --out regress"},
	{"finetune tag", "", digestFinetune + "--data spans.jsonl --task tag --label spans --epochs 2 --out tag"},
	{"finetune chat", "", digestFinetune + "--data chats.jsonl --task chat --epochs 2 --out chat"},
	{"finetune chat padded", "", digestFinetune + "--data chats.jsonl --task chat --epochs 1 --no-packing --out padded"},
	{"finetune lm", "", digestFinetune + "--data texts.csv --task lm --text text --epochs 1 --lr 0.01 --out lm"},
	{"generate greedy", "", "generate --model MODELS/hf/llama-chat --prompt the --temperature 0 --tokens 24 --json"},
	{"generate beams", "", "generate --model MODELS/hf/llama-chat --prompt the --beams 4 --returns 2 --tokens 16 --json"},
	{"generate drawn", "", "generate --model MODELS/hf/llama-chat --prompt the --temperature 0.9 --top-k 20 --top-p 0.95 --seed 5 --returns 2 --tokens 20 --json"},
	{"generate adapted", "", "generate --model MODELS/hf/llama-chat --adapter lm/adapter --prompt the --temperature 0 --tokens 16 --json"},
	{"generate trained", "", "generate --model tiny --prompt the --temperature 0 --tokens 16 --json"},
	{"chat", "", "chat --model MODELS/hf/llama-chat --prompt What --temperature 0 --tokens 12 --json"},
}

// keyRuns are the runs, after those of valueRuns, whose JSON keys must not change.
var keyRuns = []programRun{
	{"version", "", "version --json"},
	{"finetune seeds", "", digestFinetune + "--data texts.csv --task classify --epochs 1 --seeds 2 --out seeds"},
	{"finetune folds", "", digestFinetune + "--data labels.csv --task regress --label number --epochs 1 --folds 2 --out folds"},
	{"finetune test", "", digestFinetune + "--data texts.csv --test-data test.csv --task classify --epochs 1 --out tested"},
	{"finetune find-lr", "", digestFinetune + "--data texts.csv --task classify --find-lr"},
	{"predict classify", "", "predict --run classify --data texts.csv --text text --embedding --json"},
	{"predict multilabel", "", "predict --run multilabel --data labels.csv --json"},
	{"predict regress", "", "predict --run regress --data labels.csv --json"},
	{"predict tag", "", "predict --run tag --data spans.jsonl --json"},
	{"predict chat", "", "predict --run chat --data chats.jsonl --json"},
	{"predict lm", "", "predict --run lm --data texts.csv --json"},
	{"eval classify", "", "eval --run classify --data texts.csv --json"},
	{"eval regress", "", "eval --run regress --data labels.csv --json"},
	{"eval multilabel", "", "eval --run multilabel --data labels.csv --json"},
	{"eval tag", "", "eval --run tag --data spans.jsonl --json"},
	{"eval lm", "", "eval --run lm --data texts.csv --stride 8 --json"},
	{"eval chat", "", "eval --run chat --base --metrics bleu,chrf,rougel --tokens 4 --data chats.jsonl --json"},
	{"data check", "", "data check --data texts.csv --tokenizer byte --json"},
	{"data check chats", "", "data check --data chats.jsonl --json"},
	{"tokenize encode", "the fox", "tokenize encode --tokenizer MODELS/hf/llama-chat --json"},
	{"tokenize decode", "10 20 30", "tokenize decode --tokenizer MODELS/hf/llama-chat --json"},
	{"tokenize count", "", "tokenize count corpus.txt --tokenizer MODELS/hf/llama-chat --json"},
	{"tokenize bench", "", "tokenize bench corpus.txt --tokenizer MODELS/hf/llama-chat --threads 1 --json"},
	{"tokenize train", "", "tokenize train corpus.txt --vocab 300 --out bpe --json"},
	{"tokenize corpus", "", "tokenize corpus corpus.txt --tokenizer bpe --out tokens --json"},
	{"inspect preset", "", "inspect --preset tiny --batch 4 --json"},
	{"inspect model", "", "inspect --model MODELS/hf/llama-chat --json"},
	{"inspect gguf", "", "inspect --model MODELS/gguf/qwen2.gguf --json"},
	{"export", "", "export --model MODELS/hf/llama-chat --to gguf --json exported"},
	{"gradcheck", "", "gradcheck --preset tiny --json"},
	{"demo xor", "", "demo xor --seeds 1 --epochs 200 --json"},
	{"bench gemm", "", "bench gemm --rounds 1 --json"},
	{"bench step", "", "bench step --model MODELS/hf/llama-chat --lora --rank 2 --batch 2 --context 8 --steps 1 --json"},
	{"bench generate", "", "bench generate --model MODELS/hf/llama-chat --prompt-tokens 8 --prefill 8 --rounds 1 --tokens 4 --json"},
}

// keyFiles are the JSON files of runs, each a value or a value a line.
var keyFiles = []string{"tiny/log.jsonl", "tiny/checkpoints/*/state.json", "tiny/checkpoints/*/config.json", "classify/result.json", "chat/result.json",
	"classify/adapter/adapter_config.json", "classify/log.jsonl", "tag/adapter/adapter_config.json", "lm/adapter/generation_config.json", "full/model/config.json"}

// TestDigests runs the program on every CPU path that the machine has. The parameters after short runs, the ids of
// generation and the keys of all JSON outputs are those of testdata/digests.json.
func TestDigests(t *testing.T) {
	var want digests
	b, err := os.ReadFile(digestFile)
	if err == nil {
		err = json.Unmarshal(b, &want)
	}
	if err != nil && !*updateDigests {
		t.Fatal(err)
	}
	if *updateDigests {
		want = digests{map[string]map[string]string{}, map[string][]string{}}
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the digests are those of amd64: other compilers fuse multiplications and additions")
	}
	paths := vec.Paths()
	for i, p := range paths {
		path, best := p.String(), i == len(paths)-1
		t.Run(path, func(t *testing.T) {
			if testing.Short() && !best {
				t.Skip("short: the machine's best CPU path alone")
			}
			d := digestDir(t)
			got := map[string]string{}
			for _, r := range valueRuns {
				got[r.name] = valueOf(d.run(t, path, r))
			}
			if *updateDigests {
				want.Values[path] = got
			}
			compareValues(t, want.Values[path], got)
			if best {
				d.keys(t, path, &want)
			}
		})
	}
	if *updateDigests && !t.Failed() {
		writeDigests(t, want)
	}
}

// digestFolder is where the runs of a CPU path work.
type digestFolder string

func digestDir(t *testing.T) digestFolder {
	dir := textDir(t) // has texts.csv
	const line = "the quick brown fox jumps over the lazy dog;\nand then it sleeps, as foxes do.\n"
	chats, spans, labels := "", "", "text,labels,number\n"
	for i := range 40 {
		chats += fmt.Sprintf(`{"messages":[{"role":"user","content":"What is %d?"},{"role":"assistant","content":"It is the number %d."}]}`+"\n", i, i)
		labels += fmt.Sprintf("number %d is here,%s,%g\n", i*37, [3]string{"house", "inn|house", "thin"}[i%3], float64(i%7)/2)
		spans += fmt.Sprintf(`{"text":"Ann%d went to Rome","spans":[[0,%d,"PER"],[%d,%d,"LOC"]]}`+"\n", i, len(fmt.Sprint(i))+3, len(fmt.Sprint(i))+12, len(fmt.Sprint(i))+16)
	}
	for name, text := range map[string]string{"corpus.txt": strings.Repeat(line, 120), "chats.jsonl": chats, "labels.csv": labels, "spans.jsonl": spans,
		"test.csv": "text,label\nnumber 5 is thin and new,a\nnumber 6 is an inn and new,b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return digestFolder(dir)
}

// run calls the program and returns the lines of its standard output that are JSON.
func (d digestFolder) run(t *testing.T, path string, r programRun) []any {
	t.Helper()
	models, err := filepath.Abs("../../gpt/testdata")
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(strings.ReplaceAll(r.args, "MODELS", models))
	cmd := exec.Command("ceto", args...)
	cmd.Dir, cmd.Env = string(d), append(os.Environ(), "CETO_CPU="+path)
	cmd.Stdin = strings.NewReader(r.stdin)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: ceto %s: %v: %s", r.name, r.args, err, msg.String())
	}
	return jsonValues(t, r.name, out.Bytes())
}

// jsonValues reads JSON values that follow each other.
func jsonValues(t *testing.T, name string, b []byte) (all []any) {
	t.Helper()
	for j := json.NewDecoder(bytes.NewReader(b)); j.More(); {
		var v any
		if err := j.Decode(&v); err != nil {
			t.Fatalf("%s: %v in %.200q", name, err, b)
		}
		all = append(all, v)
	}
	return all
}

// valueOf is what must not change of an output: the digest of a run's parameters, or the ids of generation.
func valueOf(out []any) string {
	m := out[len(out)-1].(map[string]any)
	if m["digest"] != nil {
		return m["digest"].(string)
	}
	ids := fmt.Sprint(m["ids"])
	if m["sequences"] != nil {
		for _, s := range m["sequences"].([]any) {
			ids += fmt.Sprint(" ", s.(map[string]any)["ids"])
		}
	}
	return ids
}

func compareValues(t *testing.T, want, got map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if got[name] != want[name] {
			t.Errorf("%s gives %s, want %s", name, got[name], want[name])
		}
	}
	if len(want) != len(got) {
		t.Errorf("%d runs, want %d", len(got), len(want))
	}
}

// keys compares the JSON keys of all outputs and files.
func (d digestFolder) keys(t *testing.T, path string, want *digests) {
	got := map[string][]string{}
	for _, r := range append(slices.Clone(valueRuns), keyRuns...) {
		if _, ok := got[r.name]; !ok && slices.ContainsFunc(keyRuns, func(k programRun) bool { return k.name == r.name }) {
			got[r.name] = keysOf(d.run(t, path, r))
		}
	}
	for _, f := range keyFiles {
		files, _ := filepath.Glob(filepath.Join(string(d), f))
		if len(files) == 0 {
			t.Fatalf("%s: no such file", f)
		}
		b, err := os.ReadFile(files[len(files)-1])
		if err != nil {
			t.Fatal(err)
		}
		got[f] = keysOf(jsonValues(t, f, b))
	}
	if *updateDigests {
		want.Keys = got
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !slices.Equal(got[name], want.Keys[name]) {
			t.Errorf("%s has the keys %q, want %q", name, got[name], want.Keys[name])
		}
	}
	if len(got) != len(want.Keys) {
		t.Errorf("%d outputs, want %d", len(got), len(want.Keys))
	}
}

// keysOf are the paths of the keys in values, sorted, each once: "ci95.f1[]".
func keysOf(values []any) []string {
	seen := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), x)
			}
		case []any:
			for _, x := range v {
				walk(path+"[]", x)
			}
		}
		seen[path] = true
	}
	for _, v := range values {
		walk("", v)
	}
	return slices.Sorted(maps.Keys(seen))
}

func writeDigests(t *testing.T, d digests) {
	b, err := json.MarshalIndent(d, "", " ")
	if err == nil {
		err = os.WriteFile(digestFile, append(b, '\n'), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}
