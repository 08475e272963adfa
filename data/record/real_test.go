package record

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// real returns a file of the data that CETO_DATA names.
func real(t testing.TB, name ...string) string {
	t.Helper()
	if os.Getenv("CETO_DATA") == "" {
		t.Skip("CETO_DATA names no folder with real data")
	}
	return filepath.Join(append([]string{os.Getenv("CETO_DATA")}, name...)...)
}

func TestReal(t *testing.T) {
	for _, c := range []struct {
		path    []string
		o       Options
		rows    int
		columns string
		row     int
		want    string
	}{
		{[]string{"sms-spam", "SMSSpamCollection.tsv"}, Options{Columns: []string{"label", "text"}}, 5574, "label,text", 1, "ham|Ok lar... Joking wif u oni..."},
		{[]string{"sms-spam"}, Options{Columns: []string{"label", "text"}}, 5574, "label,text", 5573, "ham|Rofl. Its true to its name"},
		{[]string{"instruction-1100", "instruction-data.json"}, Options{}, 1100, "instruction,input,output", 2, "Convert 45 kilometers to meters.||45 kilometers is 45000 meters."},
		{[]string{"instruction-1100"}, Options{Format: JSON}, 1100, "instruction,input,output", 1, "Edit the following sentence for grammar.|He go to the park every day.|He goes to the park every day."},
		{[]string{"tatoeba-cmn-eng", "cmn.txt"}, Options{Format: TSV, Columns: []string{"en", "zh"}}, 19577, "en,zh", 2, "Run.|你用跑的。"},
		{[]string{"tatoeba-cmn-eng"}, Options{}, 19577, "text", 0, "Hi.\t嗨。"},
	} {
		r, err := Open(real(t, c.path...), c.o)
		if err != nil {
			t.Errorf("%v: %v", c.path, err)
			continue
		}
		defer r.Close()
		if got := all(t, r); len(got) != c.rows || got[c.row] != c.want || strings.Join(r.Columns(), ",") != c.columns {
			t.Errorf("%v: %d records of %v, number %d is %q; want %d of %s, %q",
				c.path, len(got), r.Columns(), c.row, got[c.row], c.rows, c.columns, c.want)
		}
	}
}

// TestSpam counts classes and duplicates of the SMS Spam Collection; its README has the first.
func TestSpam(t *testing.T) {
	r, err := Open(real(t, "sms-spam", "SMSSpamCollection.tsv"), Options{Columns: []string{"label", "text"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := r.Classes("label")
	if err != nil || fmt.Sprint(c.Names, c.Count) != "[ham spam] [4827 747]" {
		t.Fatalf("classes %v %v, %v", c.Names, c.Count, err)
	}
	equal, err := Near{r.Column("text"), 1}.Within(r.Rows())
	if err != nil || len(equal) != spamEqual {
		t.Errorf("%d duplicates, %v, want %d", len(equal), err, spamEqual)
	}
	pairs, err := Near{Text: r.Column("text")}.Within(r.Rows())
	if err != nil || len(pairs) < spamEqual {
		t.Errorf("%d near-duplicates, %v, want %d and more", len(pairs), err, spamEqual)
	}
	keep := Without(r.Rows(), pairs)
	parts, err := Split(keep, c, 1, float64(len(keep)-1000), 0, 1000)
	if err != nil || len(parts[2]) != 1000 {
		t.Fatal(err, len(parts[2]))
	}
	leaks, err := Near{Text: r.Column("text")}.Leaks(parts[0], parts[2])
	if err != nil || len(leaks) != 0 {
		t.Errorf("%d leaks between parts without duplicates: %.5v, %v", len(leaks), leaks, err)
	}
	b, err := c.Balance(parts[2])
	t.Logf("%d equal, %d near; test: %s, %v", len(equal), len(pairs), b, err)
	parts, err = Split(r.Rows(), c, 1, 4574, 1000)
	if err != nil {
		t.Fatal(err)
	}
	leaks, err = Near{Text: r.Column("text")}.Leaks(parts[0], parts[1])
	t.Logf("with duplicates: %d of 1000 leak, %v", len(leaks), err)
	if len(leaks) < 50 {
		t.Errorf("%d leaks where duplicates were kept", len(leaks))
	}
}

// spamEqual is the number of messages that equal an earlier one when folded; counted by Python:
// sum(n-1 for n in Counter(" ".join(text.lower().split()) …).values()).
const spamEqual = 415

// BenchmarkNear is 100,000 texts of about 100 letters, a tenth of them near-duplicates.
func BenchmarkNear(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	list := make([]string, 100_000)
	for i := range list {
		letters := make([]byte, 80+r.IntN(40))
		for k := range letters {
			letters[k] = "etaoin shrdlu"[r.IntN(13)]
		}
		if list[i] = string(letters); i > 0 && r.IntN(10) == 0 {
			list[i] = list[r.IntN(i)] + "!"
		}
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		pairs, err := Near{Text: texts(list)}.Within(count(len(list)))
		if err != nil {
			b.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(len(pairs)), "pairs")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(len(list)), "B/record")
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct{ file, head, row, tail string }{
		{"a.csv", "label,text\n", "spam,\"Free entry, in 2 a wkly \"\"comp\"\" to win FA Cup final tkts 21st May 2005\"\n", ""},
		{"a.tsv", "label\ttext\n", "spam\tFree entry in 2 a wkly comp to win FA Cup final tkts 21st May 2005\n", ""},
		{"a.jsonl", "", "{\"label\":\"spam\",\"text\":\"Free entry in 2 a wkly comp to win FA Cup final tkts 21st May 2005\"}\n", ""},
		{"a.json", "[", "{\"label\":\"spam\",\"text\":\"Free entry in 2 a wkly comp to win FA Cup final tkts 21st May 2005\"},\n", "{}]"},
	} {
		text := c.head + strings.Repeat(c.row, 100_000) + c.tail
		path := filepath.Join(write(b, c.file, text), c.file)
		b.Run(c.file, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
		r, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("text/"+c.file, func(b *testing.B) {
			i := 0
			for b.Loop() {
				if _, err := r.Text(i, "text"); err != nil {
					b.Fatal(err)
				}
				i = (i + 7919) % 100_000
			}
		})
		r.Close()
	}
}
