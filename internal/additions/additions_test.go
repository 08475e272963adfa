package additions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// task is a seventh task of fine-tuning.
var task = Addition{
	Folder: "testdata/additions/task", Into: "train/finetune",
	List:    "train/finetune/tasks.go",
	Inserts: []Insert{{"// A new task goes below this line.", `{"share", func() task { return &share{} }},`}},
	Package: "./train/finetune", Run: "TestShare",
}

// family is IBM's Granite: a model, its architecture, and golden files that the tests of package pretrained read.
var family = Addition{
	Folder: "testdata/additions/family", Into: ".",
	List:    "gpt/architecture.go",
	Inserts: []Insert{{"// A new architecture goes below this line.", "graniteArchitecture,"}},
	Package: "./pretrained", Run: "TestGranite",
}

// setting is the size of evaluation batches: a field with tags, and its use.
var setting = Addition{
	Folder: "testdata/additions/setting", Into: ".",
	List: "train/settings.go",
	Inserts: []Insert{
		{"// A new setting goes below this line.", "EvalBatch int `yaml:\"eval_batch,omitempty\" flag:\"eval-batch\" usage:\"examples of an evaluation batch\" range:\"[0,inf)\" default:\"(64)\"`"},
		{"// The use of a new setting goes below this line.", "EvalBatch: s.EvalBatch,"},
	},
	Package: "./train/pretrain", Run: "TestAddition",
}

func TestAdditions(t *testing.T) {
	for name, a := range map[string]Addition{"task": task, "family": family, "setting": setting} {
		t.Run(name, a.Test)
	}
}

// TestOverlay: the tree stays as it is, and what cannot be laid over it is an error.
func TestOverlay(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path, err := task.overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var o struct{ Replace map[string]string }
	if err := json.Unmarshal(b, &o); err != nil || len(o.Replace) != 3 {
		t.Fatalf("%s, %v; want two files and the list", b, err)
	}
	list := filepath.Join(root, "train", "finetune", "tasks.go")
	before, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(o.Replace[list])
	if err != nil || strings.Replace(string(after), task.Inserts[0].Line+"\n", "", 1) != string(before) || len(after) != len(before)+len(task.Inserts[0].Line)+1 {
		t.Errorf("the list is now %q, %v", after, err)
	}
	for want, change := range map[string]func(a *Addition){
		"has no line":     func(a *Addition) { a.Inserts = []Insert{{"// not there", ""}} },
		"want one":        func(a *Addition) { a.Inserts = []Insert{{"}", ""}} },
		"has no Go files": func(a *Addition) { a.Folder = "testdata/golden" },
		"no such file":    func(a *Addition) { a.List = "train/finetune/nothing.go" },
		"there already":   func(a *Addition) { a.Into = a.Folder },
	} {
		a := task
		if change(&a); want == "want one" {
			a.List = "train/finetune/task.go"
		}
		if _, err := a.overlay(root, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
