package finetune

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/pretrained"
)

// TestNoTypeTests: nothing asks which task it has. A type assertion or a case of a type switch names no type of this
// package.
func TestNoTypeTests(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set, ours, asked := token.NewFileSet(), map[string]bool{}, map[string]ast.Expr{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var types []ast.Expr
			switch n := n.(type) {
			case *ast.TypeSpec:
				ours[n.Name.Name] = true
			case *ast.TypeAssertExpr:
				types = []ast.Expr{n.Type}
			case *ast.TypeSwitchStmt:
				for _, c := range n.Body.List {
					types = append(types, c.(*ast.CaseClause).List...)
				}
			}
			for _, e := range types {
				if e != nil {
					asked[set.Position(e.Pos()).String()] = e
				}
			}
			return true
		})
	}
	if len(asked) == 0 {
		t.Error("no type assertion was found at all; want those on tokenizers")
	}
	for at, e := range asked {
		if p, ok := e.(*ast.StarExpr); ok {
			e = p.X
		}
		if id, ok := e.(*ast.Ident); ok && ours[id.Name] {
			t.Errorf("%s: asks for %s; want a method of the task", at, id.Name)
		}
		if _, ok := e.(*ast.InterfaceType); ok {
			t.Errorf("%s: asks for an interface; want a method of the task", at)
		}
	}
}

// TestDefaults: what each task takes where the settings say nothing.
func TestDefaults(t *testing.T) {
	source, err := pretrained.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, w := range []struct {
		task           string
		lora           float64 // rate
		probes         bool
		peft           string
		of500, of5000  float64 // share of the records that validates
		epochs, rounds int     // for 400 examples of 50 tokens; rounds are evaluations of an epoch
		next           string
	}{
		{"classify", 2e-4, true, "", 0.2, 0.1, 5, 1, "ceto predict --run R --data FILE --text COLUMN"},
		{"multilabel", 2e-4, true, "", 0.2, 0.1, 5, 1, "ceto predict --run R --data FILE --text COLUMN"},
		{"regress", 2e-4, true, "", 0.2, 0.1, 5, 1, "ceto predict --run R --data FILE --text COLUMN"},
		{"tag", 1e-3, false, "TOKEN_CLS", 0.2, 0.1, 5, 1, "ceto predict --run R --data FILE --text COLUMN"},
		{"chat", 3e-4, false, "", 0.2, 0.04, 3, 2, "ceto chat --model " + tiny + " --adapter R/adapter"},
		{"lm", 3e-4, false, "", 0.2, 0.04, 3, 2, "ceto generate --model " + tiny + " --adapter R/adapter"},
	} {
		for method, rate := range map[string]float64{LoRA: w.lora, Full: 5e-5, "random": 3e-4} {
			task, err := newTask(w.task)
			if err != nil {
				t.Fatal(err)
			}
			s := Settings{Task: w.task, Model: tiny, Method: method, Random: method == "random"}
			if err := s.resolve(task, source.Model); err != nil {
				t.Fatal(err)
			}
			if s.Train.LR != rate || task.probes() != w.probes || s.Head.NoFit != (!w.probes || s.Random) || task.peft() != w.peft {
				t.Errorf("%s %s: rate %g, probes %t, no fit %t, peft %q; want %+v", w.task, method, s.Train.LR, task.probes(), s.Head.NoFit, task.peft(), w)
			}
			task.sizes(&s, extent{examples: 400, tokens: 400 * 50, longest: 60})
			if s.Train.Epochs != w.epochs || s.Train.Evaluations != w.rounds || task.valShare(500) != w.of500 || task.valShare(5000) != w.of5000 {
				t.Errorf("%s: %d epochs, %d evaluations, shares %g and %g; want %+v", w.task, s.Train.Epochs, s.Train.Evaluations, task.valShare(500), task.valShare(5000), w)
			}
			if next := task.next(s, "R"); method == LoRA && (next[0] != w.next || next[1] != "ceto eval --run R --data FILE") {
				t.Errorf("%s: next %q, want %q first", w.task, next, w.next)
			}
		}
	}
}

// TestMakeChangesNothing: making an example changes neither the task nor the setup, and the example says what was lost.
func TestMakeChangesNothing(t *testing.T) {
	long := strings.Repeat("an inn on the hill ", 9)
	spans := fmt.Sprintf(`[[0, 6, "A"], [%d, %d, "B"]]`, len(long)-5, len(long)-1)
	for _, w := range []struct {
		task, header, good string
		line               string
		want               int // examples
		cut, lost          int
	}{
		{"classify", "text,class", "x%d,%c", long + ",a", 1, 1, 0},
		{"multilabel", "text,class", "x%d,%c|z", long + ",a", 1, 1, 0},
		{"regress", "text,class", "x%d%c,1.5", long + ",2", 1, 1, 0},
		{"tag", "text\tclass", "an inn %d\t[[0, 6, \"%c\"]]", long + "\t" + spans, 1, 1, 1},
		{"chat", "question,answer", "x%d,%c", "in," + long, 1, 1, 0},
		{"chat", "question,answer", "x%d,%c", long + ",in", 0, 0, 0},
		{"lm", "text", "x%d%c", long, 4, 0, 0},
	} {
		lines := []string{w.header}
		for i := range 20 {
			lines = append(lines, fmt.Sprintf(w.good, i, "AB"[i%2]))
		}
		name := map[bool]string{true: "records.tsv", false: "records.csv"}[strings.Contains(w.header, "\t")]
		s := Settings{Task: w.task, Model: tiny, Data: DataSettings{Path: write(t, name, lines...), Context: 30}}
		if w.task != "chat" {
			s.Data.Text = "text"
		}
		if strings.Contains(w.header, "class") {
			s.Data.Label = []string{"class"}
		}
		if w.task == "classify" || w.task == "multilabel" {
			s.Data.Classes = []string{"A", "B", "a", "z"}
		}
		j := open(t, s)
		r := openRecords(t, write(t, name, w.header, w.line))
		settings, counts, seen := j.Settings, j.Counts, fmt.Sprintf("%+v", j.task)
		all, err := j.task.make(j.Setup, entry{Records: r})
		cut, lost := 0, 0
		for _, e := range all {
			lost += e.lost
			if e.cut {
				cut++
			}
		}
		if err != nil || len(all) != w.want || cut != w.cut || lost != w.lost {
			t.Errorf("%s: %d examples, %d cut, %d spans lost, %v; want %d, %d, %d", w.task, len(all), cut, lost, err, w.want, w.cut, w.lost)
		}
		if !reflect.DeepEqual(settings, j.Settings) || !reflect.DeepEqual(counts, j.Counts) || seen != fmt.Sprintf("%+v", j.task) {
			t.Errorf("%s: the job is now %+v, %+v, %+v", w.task, j.Settings, j.Counts, j.task)
		}
	}
}

// TestPiecesAreKept: a text that gives several examples is read once, one that gives a single one whenever it is asked
// for.
func TestPiecesAreKept(t *testing.T) {
	s := Settings{Task: "lm", Model: tiny, Data: DataSettings{Text: "text", Path: write(t, "texts.csv", "text", "in", "on", "hill", "thin", strings.Repeat("an inn on the hill ", 9)), Context: 30}}
	j := open(t, s)
	all := &subset{r: j.train.r, rows: j.train.r.Rows()}
	q, err := j.sequences(all, nil)
	if err != nil || len(all.pieces) != 4 || q.Len() != 8 || len(all.rows) != 5 || fmt.Sprint(all.of) != "[0 1 2 3 4 4 4 4]" {
		t.Fatalf("%d pieces of %d examples of records %v, %v; want 4 of 8 of 5", len(all.pieces), q.Len(), all.of, err)
	}
	for i := range q.Len() {
		e, err := q.At(i, 0)
		if err != nil || len(e.IDs) != int(q.Lengths[i]) {
			t.Errorf("example %d: %d ids, %v; want %d", i, len(e.IDs), err, q.Lengths[i])
		}
	}
}
