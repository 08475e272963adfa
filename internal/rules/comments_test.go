package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// The bounds of prose: words of a sentence, columns of a comment's line, columns of a tab.
const (
	maxWords   = 25
	maxColumns = 120
	tabColumns = 4
)

// TestComments counts, package by package, what is hard to read in comments that stand on lines of their own. That is
// sentences of more than 25 words, lines of more than 120 columns, and sentences that begin with an "Of" that belongs
// to nothing. Generated files are left out, and so is what an Example prints: that is no prose.
func TestComments(t *testing.T) {
	found := map[key][]finding{}
	total := 0
	for _, f := range goFiles(t) {
		if f.generated() {
			continue
		}
		lines := strings.Split(string(f.src), "\n")
		printed := printedBy(f)
		for _, g := range f.Comments {
			if printed[g] {
				continue
			}
			if p := f.set.Position(g.Pos()); strings.TrimSpace(lines[p.Line-1][:p.Column-1]) != "" {
				continue // behind code
			}
			total += checkComment(found, f, g, lines)
		}
	}
	t.Logf("%d sentences in comments", total)
	checkBounds(t, found, "sentences", "columns", "of")
}

// printedBy returns the comments that hold what the file's Examples print: each is the last comment of its function.
func printedBy(f goFile) map[*ast.CommentGroup]bool {
	printed := map[*ast.CommentGroup]bool{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !f.test() || fn.Body == nil || !strings.HasPrefix(fn.Name.Name, "Example") {
			continue
		}
		var last *ast.CommentGroup
		for _, g := range f.Comments {
			if fn.Body.Pos() < g.Pos() && g.End() < fn.Body.End() {
				last = g
			}
		}
		if last != nil && strings.HasPrefix(last.Text(), "Output:") {
			printed[last] = true
		}
	}
	return printed
}

func TestPrintedBy(t *testing.T) {
	const src = `package p

func ExampleOne() {
	// One.
	// Output: Two.
}

func ExampleTwo() {
	// Output: Three.

	// Four.
}

func other() {
	// Output: Five.
}
`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p_test.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got := printedBy(goFile{File: file, path: "p_test.go", set: set}); len(got) != 0 {
		t.Errorf("%d comments are taken for output, want none: an output is a comment of its own, and the last", len(got))
	}
	file, err = parser.ParseFile(set, "q_test.go", strings.Replace(src, "// One.", "// One.\n\n", 1), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	got := printedBy(goFile{File: file, path: "q_test.go", set: set})
	if len(got) != 1 || !got[file.Comments[1]] {
		t.Errorf("%d comments are taken for output, want that of ExampleOne", len(got))
	}
}

// checkComment adds a comment's findings and returns how many sentences it has.
func checkComment(found map[key][]finding, f goFile, g *ast.CommentGroup, lines []string) int {
	first, last := f.line(g.Pos()), f.line(g.End())
	place := fmt.Sprintf("%s:%d", f.path, first)
	for n := first; n <= last; n++ {
		if c := columns(lines[n-1]); c > maxColumns {
			k := key{"columns", f.room()}
			found[k] = append(found[k], finding{fmt.Sprintf("%s:%d", f.path, n), fmt.Sprintf("%d columns", c)})
		}
	}
	all := commentSentences(g.Text())
	for _, s := range all {
		checkSentence(found, f.room(), place, s, declaresOf(lines, last))
	}
	return len(all)
}

func checkSentence(found map[key][]finding, room, place, sentence string, mayOf bool) {
	if n := wordCount(sentence); n > maxWords {
		k := key{"sentences", room}
		found[k] = append(found[k], finding{place, fmt.Sprintf("%d words: %s", n, sentence)})
	}
	if strings.HasPrefix(sentence, "Of ") && !mayOf {
		k := key{"of", room}
		found[k] = append(found[k], finding{place, sentence})
	}
}

var nameOf = regexp.MustCompile(`\bOf\b`)

// declaresOf tells whether the line behind a comment declares something named Of, with which its text then begins.
func declaresOf(lines []string, last int) bool {
	return last < len(lines) && nameOf.MatchString(lines[last])
}

func columns(line string) int {
	return utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
}
