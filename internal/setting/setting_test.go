package setting

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// Step is a number of steps that must be even.
type Step float64

func (s Step) Valid() bool { return math.Mod(float64(s), 2) == 0 }

// Common is embedded by loop.
type Common struct {
	LR    float64 `yaml:"lr" flag:"lr" usage:"learning rate" range:"(0,10]"`
	Batch int     `yaml:"batch" flag:"batch" usage:"examples" range:"[1,inf)" default:"4"`
	Even  Step    `yaml:"even" usage:"even steps" range:"an even number"`
}

type loop struct {
	Common `yaml:",inline" defaults:"lr=0.5; batch=8"`
	Method string   `yaml:"method" flag:"method" usage:"method" oneof:"lora full head" default:"lora"`
	Share  float64  `yaml:"share,omitempty" flag:"share" usage:"share" range:"[0,1]" default:"(what fits)"`
	Seed   uint64   `yaml:"seed" flag:"seed" usage:"seed" range:"[0,9]"`
	Freeze []string `yaml:"freeze" flag:"freeze" usage:"patterns"`
	Thaw   []string `yaml:"thaw" flag:"thaw,array" usage:"lines"`
}

type all struct {
	Task  string `yaml:"task" flag:"task" usage:"what is learned:"`
	Train loop   `yaml:"train"`
	Quick bool   `flag:"quick" usage:"hurry"`
	Tries int    `flag:"tries" usage:"tries" range:"[0,inf)" default:"3"`
	notes string
}

func (all) Choices(string) []string { return []string{"sums", "names"} }

// TestOf: keys, flags, defaults and usage texts, in the order of declaration.
func TestOf(t *testing.T) {
	var got []string
	for _, s := range Of(&all{notes: "none"}) {
		got = append(got, s.Key+"/"+s.Flag+"/"+s.Default)
	}
	want := []string{"task/task/", "train.lr/lr/0.5", "train.batch/batch/8", "train.even//", "train.method/method/lora", "train.share/share/(what fits)",
		"train.seed/seed/", "train.freeze/freeze/", "train.thaw/thaw/", "/quick/", "/tries/3"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if u := Usage(all{}, "task"); u != "what is learned: sums, names" {
		t.Errorf("usage %q", u)
	}
	if err := Lint(&all{}); err != nil {
		t.Error(err)
	}
}

// TestOrder: flags that were given go over --set, that over a file, that over what was there; a flag that was not given
// changes nothing.
func TestOrder(t *testing.T) {
	var flags all
	fl := pflag.NewFlagSet("", pflag.ContinueOnError)
	Flags(fl, &flags)
	args := "--lr 3 --thaw a,b --thaw c --freeze a,b --quick --share 0"
	if err := fl.Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	s := all{Task: "before", Train: loop{Method: "full", Seed: 5, Share: 0.5}}
	path := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(path, []byte("task: file\ntrain: {lr: 1, batch: 1, seed: 6}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	version, err := ReadFile(path, "x", &s)
	if err != nil || version != 1 {
		t.Fatal(version, err)
	}
	for _, expr := range []string{"train.batch=2", "train.lr=2", "train.even=4"} {
		if err := Set(&s, expr); err != nil {
			t.Fatal(err)
		}
	}
	Given(fl, &flags, &s)
	want := all{Task: "file", Train: loop{Common: Common{3, 2, 4}, Method: "full", Seed: 6, Freeze: []string{"a", "b"}, Thaw: []string{"a,b", "c"}}, Quick: true}
	if d := cmp.Diff(want, s, cmp.AllowUnexported(all{})); d != "" {
		t.Error(d)
	}
	if flags.Tries != 3 {
		t.Errorf("a flag without a key starts from %d, want its default 3", flags.Tries)
	}
	help := fl.FlagUsages()
	for _, want := range []string{"learning rate (default 0.5)", "share (default what fits)", "what is learned: sums, names\n", "tries (default 3)"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q:\n%s", want, help)
		}
	}
}

// TestVar: a flag that another struct declares writes to a field of one's own.
func TestVar(t *testing.T) {
	method, fl := "", pflag.NewFlagSet("", pflag.ContinueOnError)
	Var(fl, all{}, "method", &method)
	if err := fl.Parse([]string{"--method", "head"}); err != nil || method != "head" {
		t.Errorf("%q, %v", method, err)
	}
	if help := fl.FlagUsages(); !strings.Contains(help, "method (default lora)") {
		t.Error(help)
	}
}

// TestFill: zero values get the defaults that are values, all or those of some keys.
func TestFill(t *testing.T) {
	s := all{Train: loop{Common: Common{Batch: 1}}}
	Fill(&s, "train.method")
	if s.Train.Method != "lora" || s.Train.LR != 0 || s.Tries != 0 {
		t.Errorf("one key: %+v", s)
	}
	Fill(&s)
	if want := (loop{Common: Common{LR: 0.5, Batch: 1}, Method: "lora"}); !cmp.Equal(s.Train, want) {
		t.Errorf("all keys: %+v, want %+v", s.Train, want)
	}
}

// TestCheck: each bound, as it is said.
func TestCheck(t *testing.T) {
	good := loop{Common: Common{LR: 10, Batch: 1, Even: 2}, Method: "lora", Share: 1, Seed: 9}
	if err := Check(&all{Train: good}); err != nil {
		t.Error(err)
	}
	if err := CheckGiven(&all{}); err != nil {
		t.Errorf("zeros stand for defaults: %v", err)
	}
	for _, c := range []struct{ set, want string }{
		{"train.lr=0", "train.lr is 0; it must be above 0, at most 10"},
		{"train.lr=10.5", "train.lr is 10.5; it must be above 0, at most 10"},
		{"train.lr=.nan", "train.lr is NaN; it must be above 0, at most 10"},
		{"train.batch=0", "train.batch is 0; it must be at least 1"},
		{"train.even=3", "train.even is 3; it must be an even number"},
		{"train.method=sgd", "train.method is sgd; it must be lora, full or head"},
		{"train.share=-0.5", "train.share is -0.5; it must be a share, 0 to 1"},
		{"train.seed=10", "train.seed is 10; it must be from 0 to 9"},
	} {
		s := all{Train: good}
		if err := Set(&s, c.set); err == nil || err.Error() != "--set "+c.set+": "+c.want {
			t.Errorf("%s: %v, want %q", c.set, err, c.want)
		}
		if err := Check(&s); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.set, err, c.want)
		}
	}
	for range_, want := range map[string]string{"(0,inf)": "above 0", "[0,inf)": "0 or more", "[0,1)": "from 0 to below 1", "(0,1)": "between 0 and 1",
		"(2,3]": "above 2, at most 3", "[2,3]": "from 2 to 3"} {
		s := Of(all{})[1]
		if s.Range = range_; s.wish() != want {
			t.Errorf("%s is %q, want %q", range_, s.wish(), want)
		}
	}
}

// TestSet: keys that are not known, and values of another type, are errors that name what was given.
func TestSet(t *testing.T) {
	for expr, want := range map[string]string{"lr": "want key=value", "=3": "want key=value", "train.rate=3": `--set train.rate=3: [2:3] unknown field "rate"`,
		"train.lr=high": "--set train.lr=high: ", "kind=x": `unknown field "kind"`} {
		if err := Set(&all{}, expr); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

// TestLint finds what cannot be read.
func TestLint(t *testing.T) {
	for want, v := range map[string]any{
		"no interval": &struct {
			A int `yaml:"a" usage:"a" range:"0..1"`
		}{},
		"a number without a range": &struct {
			A float64 `yaml:"a" usage:"a"`
		}{},
		"no usage": &struct {
			A int `yaml:"a"`
		}{},
		`the default "many" is no int`: &struct {
			A int `yaml:"a" usage:"a" range:"[1,2]" default:"many"`
		}{},
		"no flag can have the type map[string]int": &struct {
			A map[string]int `yaml:"a" flag:"a" usage:"a"`
		}{},
		"declared twice": &struct {
			A bool `yaml:"a" usage:"a"`
			B bool `yaml:"a" usage:"a"`
		}{},
	} {
		if err := Lint(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func Example() {
	var s struct {
		Train struct {
			LR     float64 `yaml:"lr" flag:"lr" usage:"learning rate at its highest" range:"(0,10]" default:"0.001"`
			Method string  `yaml:"method" flag:"method" usage:"what is trained" oneof:"lora full"`
		} `yaml:"train"`
	}
	Fill(&s)
	fmt.Println(s.Train.LR)
	fmt.Println(Set(&s, "train.method=all"))
	// Output:
	// 0.001
	// --set train.method=all: train.method is all; it must be lora or full
}

// TestResumed: what differs is told, and what a run keeps is refused by its flag or its key.
func TestResumed(t *testing.T) {
	type part struct {
		A int `yaml:"a" flag:"a"`
		B int `yaml:"b"`
	}
	type settings struct {
		Name  string   `yaml:"name" flag:"name" resume:"fixed"`
		Lines []string `yaml:"lines"`
		Free  part     `yaml:"free"`
		All   part     `yaml:"all" resume:"fixed"`
		Some  part     `yaml:"some" resume:"fixed b"`
		But   part     `yaml:"but" resume:"fixed but b"`
	}
	type inlined struct {
		Part part `yaml:",inline" resume:"fixed a"`
	}
	for _, c := range []struct {
		change func(s *settings)
		want   string
		err    string
	}{
		{func(*settings) {}, "[]", ""},
		{func(s *settings) { s.Lines = []string{} }, "[]", ""},
		{func(s *settings) { s.Lines = []string{"x"} }, "[lines [x] (was [])]", ""},
		{func(s *settings) { s.Name = "b" }, "[]", `--name: a run that goes on keeps name "a"; it cannot become "b"`},
		{func(s *settings) { s.Free = part{1, 2} }, "[free.a 1 (was 0) free.b 2 (was 0)]", ""},
		{func(s *settings) { s.All.B = 1 }, "[]", "--set all.b: a run that goes on keeps all.b 0; it cannot become 1"},
		{func(s *settings) { s.Some.A = 1 }, "[some.a 1 (was 0)]", ""},
		{func(s *settings) { s.Some.B = 1 }, "[]", "--set some.b: "},
		{func(s *settings) { s.But.A = 1 }, "[]", "--a: a run that goes on keeps but.a 0"},
		{func(s *settings) { s.But.B = 1 }, "[but.b 1 (was 0)]", ""},
	} {
		old, next := settings{Name: "a"}, settings{Name: "a"}
		c.change(&next)
		got, err := Resumed(&old, &next)
		if fmt.Sprint(got) != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, %v; want %s, %s", next, got, err, c.want, c.err)
		}
	}
	if got, err := Resumed(&inlined{}, &inlined{part{0, 1}}); err != nil || len(got) != 1 {
		t.Errorf("inlined: %v, %v", got, err)
	}
	if _, err := Resumed(&inlined{}, &inlined{part{1, 0}}); err == nil {
		t.Error("inlined: a key that is fixed by the struct's tag may change")
	}
}
