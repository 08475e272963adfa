package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A document is a text in Markdown.
type document struct {
	path     string // below root, with slashes
	prose    []paragraph
	snippets []snippet
}

// A paragraph is text at a line; tables, headings and fenced blocks are none.
type paragraph struct {
	line int
	text string
}

// A snippet is a fenced block of Go. The fence may name the folder of the package that it joins: "```go graph".
type snippet struct {
	line int
	room string
	src  string
}

// documents reads those that a user or a contributor reads.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, pattern := range []string{"*.md", "docs/*.md", "bench/*.md", "bench/peers/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			d := parseDocument(string(src))
			d.path = filepath.ToSlash(rel)
			all = append(all, d)
		}
	}
	return all
}

func parseDocument(src string) document {
	var d document
	var text strings.Builder
	end := func(line int) {
		if text.Len() > 0 {
			d.prose = append(d.prose, paragraph{line - strings.Count(text.String(), "\n"), text.String()})
		}
		text.Reset()
	}
	lines := strings.Split(src, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		switch {
		case strings.HasPrefix(line, "```"):
			end(i + 1)
			first := i + 1
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			}
			if info := strings.Fields(line[len("```"):]); len(info) > 0 && info[0] == "go" {
				room := strings.Join(info[1:], " ")
				d.snippets = append(d.snippets, snippet{first + 1, room, strings.Join(lines[first:min(i, len(lines))], "\n")})
			}
		case line == "" || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "#"):
			end(i + 1)
		default:
			text.WriteString(line + "\n")
		}
	}
	end(len(lines) + 1)
	return d
}

// codeSpan matches code in a line, which counts as one word.
var codeSpan = regexp.MustCompile("`[^`]*`")

// TestDocuments counts sentences as TestComments does, by document. Those in Chinese have no words to count.
func TestDocuments(t *testing.T) {
	found := map[key][]finding{}
	for _, d := range documents(t) {
		if strings.HasSuffix(d.path, ".zh.md") {
			continue
		}
		for _, p := range d.prose {
			text := codeSpan.ReplaceAllStringFunc(p.text, func(s string) string { return strings.Join(strings.Fields(s), "_") })
			for _, s := range sentences(text) {
				checkSentence(found, d.path, fmt.Sprintf("%s:%d", d.path, p.line), s, false)
			}
		}
	}
	docs := map[key][]finding{}
	for k, f := range found {
		docs[key{"docs-" + k.rule, k.room}] = f
	}
	checkBounds(t, docs, "docs-sentences", "docs-of")
}

func TestParseDocument(t *testing.T) {
	d := parseDocument("# A\n\nOne\ntwo.\n```go nn\nx := 1\n```\n- three\n\n| a | b |\n```\ny\n```\nfour\n```go\nz()\n```")
	prose := []paragraph{{3, "One\ntwo.\n"}, {8, "- three\n"}, {14, "four\n"}}
	snippets := []snippet{{6, "nn", "x := 1"}, {16, "", "z()"}}
	if !slices.Equal(d.prose, prose) || !slices.Equal(d.snippets, snippets) {
		t.Errorf("got %+v and %+v, want %+v and %+v", d.prose, d.snippets, prose, snippets)
	}
}

// TestSnippets type-checks the Go of the documents as it stands. A block is a whole file, or declarations, or the
// statements of a function. Imports that it leaves out are added, by the names of packages that it uses, and must,
// which all examples declare.
func TestSnippets(t *testing.T) {
	p := goPackages(t)
	for _, d := range documents(t) {
		for _, s := range d.snippets {
			if err := p.check(d.path, s); err != nil {
				t.Errorf("snippet at %s:%d: %v", d.path, s.line, err)
			}
		}
	}
}

const must = "func must[T any](v T, err error) T { if err != nil { panic(err) }; return v }\n"

// check type-checks a snippet of a document, with the other files of its package where it names one.
func (p *packages) check(document string, s snippet) error {
	set := token.NewFileSet()
	f, err := p.complete(set, document, s)
	if err != nil {
		return err
	}
	files := []*ast.File{f}
	if s.room != "" {
		others := p.files[module+s.room]
		if others == nil {
			return fmt.Errorf("no package %q", s.room)
		}
		for _, name := range others {
			f, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				return err
			}
			files = append(files, f)
		}
	}
	_, err = (&types.Config{Importer: p}).Check(f.Name.Name, set, files, nil)
	return err
}

// complete makes a whole file of a snippet.
func (p *packages) complete(set *token.FileSet, document string, s snippet) (*ast.File, error) {
	parse := func(head, tail string) (*ast.File, error) {
		return parser.ParseFile(set, "snippet", fmt.Sprintf("%s\n//line %s:%d\n%s\n%s", head, document, s.line, s.src, tail), 0)
	}
	if f, err := parse("", ""); err == nil {
		return f, nil
	}
	head, tail := "package main\n", ""
	if s.room != "" {
		head = "package " + path.Base(s.room) + "\n"
	}
	open := ""
	f, err := parse(head, "")
	if err != nil {
		open, tail = "func _() {", "}"
		if f, err = parse(head+open, tail); err != nil {
			return nil, err
		}
	}
	for _, name := range p.qualifiers(f) {
		head += fmt.Sprintf("import %q\n", p.byName[name])
	}
	if slices.ContainsFunc(f.Unresolved, func(u *ast.Ident) bool { return u.Name == "must" }) {
		head += must
	}
	return parse(head+open, tail)
}

// qualifiers returns the names of packages that the file uses and does not import.
func (p *packages) qualifiers(f *ast.File) []string {
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(f.Unresolved, x) && p.byName[x.Name] != "" {
				names[x.Name] = true
			}
		}
		return true
	})
	return slices.Sorted(maps.Keys(names))
}

func TestSnippetRefused(t *testing.T) {
	p := goPackages(t)
	for _, c := range []struct {
		name string
		s    snippet
		want string // part of the error; empty: none
	}{
		{"file", snippet{src: "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }"}, ""},
		{"declarations", snippet{src: "func f() error { return errors.New(\"x\") }"}, ""},
		{"statements", snippet{src: "x := must(strconv.Atoi(\"1\"))\nfmt.Println(x)"}, ""},
		{"of a package", snippet{room: "nn", src: "func (s *Scope) ours() *Scope { return s }"}, ""},
		{"a variable of a package's name", snippet{src: "data := \"x\"\nfmt.Println(data)"}, ""},
		{"a name that is gone", snippet{src: "fmt.Println(nn.NoSuchLayer{})"}, "a.md:7: undefined: nn.NoSuchLayer"},
		{"a field that is gone", snippet{src: "fmt.Println(\n\tnn.Linear{Width: 8})"}, "a.md:8"},
		{"a variable from nowhere", snippet{src: "fmt.Println(x)"}, "undefined: x"},
		{"an unused variable", snippet{src: "x := 1"}, "declared and not used: x"},
		{"something left out", snippet{src: "x := 1\n…\nfmt.Println(x)"}, "a.md:8"},
		{"no such package", snippet{room: "nm", src: "type t int"}, "no package"},
	} {
		c.s.line = 7
		err := p.check("a.md", c.s)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
