package setting

import (
	"bytes"
	"io"
	"math"
	"os"
	"reflect"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/pkg/errors"
)

// What a file of settings may be. The parser takes time with the square of the depth, and aliases of aliases stand for
// any number of values.
const (
	maxFile   = 1 << 18 // bytes
	maxDepth  = 100     // brackets within brackets, or marks at the beginning of a line
	maxValues = 1 << 16 // with each alias as what it stands for
)

// readFile reads a file of settings.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Errorf("%s: %s, want a file of settings", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.Errorf("more than %d bytes; no settings are that long", maxFile)
	}
	return b, errors.Wrap(err, path)
}

// parse returns the documents that say something. What is too deep, or stands for too many values, is an error.
func parse(b []byte) (docs []ast.Node, err error) {
	if err := shallow(b); err != nil {
		return nil, err
	}
	f, err := parser.ParseBytes(bytes.TrimPrefix(b, []byte("\ufeff")), 0)
	if err != nil {
		return nil, err
	}
	c := &counter{anchors: map[string]int{}}
	for _, doc := range f.Docs {
		switch doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
			continue
		}
		ast.Walk(c, doc.Body)
		docs = append(docs, doc.Body)
	}
	return docs, c.err
}

// shallow returns an error for text whose nesting is deeper than any settings need.
func shallow(b []byte) error {
	depth := 0
	for line := range bytes.Lines(b) {
		marks := 0
		for i, c := range line {
			switch {
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				depth = max(0, depth-1)
			case i == marks && (c == ' ' || c == '-' || c == '?' || c == '\t'):
				marks++
			}
			if depth > maxDepth {
				return errors.Errorf("brackets are nested deeper than %d", maxDepth)
			}
		}
		if marks > 2*maxDepth {
			return errors.Errorf("a line begins %d columns deep, want at most %d", marks, 2*maxDepth)
		}
	}
	return nil
}

// counter counts the values of a document.
type counter struct {
	n       int
	anchors map[string]int // how many values a name stands for
	err     error
}

// Visit implements ast.Visitor.
func (c *counter) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode:
		of := &counter{anchors: c.anchors}
		ast.Walk(of, n.Value)
		c.anchors[n.Name.GetToken().Value] = of.n
		c.n, c.err = c.n+of.n, first(c.err, of.err)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		of, ok := c.anchors[name]
		if !ok {
			c.err = first(c.err, errors.Errorf("*%s stands for nothing before it", name))
		}
		c.n += of
	default:
		c.n++
		if c.n <= maxValues {
			return c
		}
	}
	if c.n > maxValues {
		c.err = first(c.err, errors.Errorf("more than %d values; no settings have as many", maxValues))
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settingsIn takes keys without a value, and some at the top, out of a document for what v points to. It returns the
// settings that the document has values for. A fraction for a whole number is an error.
func settingsIn(doc ast.Node, v any, but []string) ([]Setting, error) {
	if t := reflect.TypeOf(v); t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, nil
	}
	r := &reader{all: Of(v), but: but}
	err := r.keys(doc, "")
	return r.given, err
}

// reader goes through a document.
type reader struct {
	all   []Setting
	but   []string
	given []Setting
}

func (r *reader) keys(node ast.Node, prefix string) error {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		return nil
	}
	kept := m.Values[:0:0]
	for _, pair := range m.Values {
		key := prefix + pair.Key.GetToken().Value
		if prefix == "" && len(r.but) > 0 && under(key, r.but) {
			continue
		}
		keep, err := r.value(pair.Value, key)
		if err != nil {
			return err
		}
		if keep {
			kept = append(kept, pair)
		}
	}
	m.Values = kept
	return nil
}

// value looks at the value of a key, and tells whether it is to be read.
func (r *reader) value(node ast.Node, key string) (keep bool, err error) {
	switch n := node.(type) {
	case *ast.NullNode:
		for _, s := range r.all {
			if under(s.Key, []string{key}) && s.Key != "" {
				return false, nil
			}
		}
		return true, nil // no known key
	case *ast.MappingNode:
		return true, r.keys(n, key+".")
	}
	for _, s := range r.all {
		if s.Key != key {
			continue
		}
		r.given = append(r.given, s)
		if k := s.typ.Kind(); (k == reflect.Int || k == reflect.Uint64) && !whole(node) {
			return true, errors.Errorf("%s is %s; it must be a whole number", key, node)
		}
	}
	return true, nil
}

// whole tells whether a number, if it is one, has no fraction.
func whole(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.FloatNode:
		return n.Value == math.Trunc(n.Value) && math.Abs(n.Value) < 1<<53
	case *ast.InfinityNode, *ast.NanNode:
		return false
	}
	return true
}
