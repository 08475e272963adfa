package setting

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/pkg/errors"
)

// What a file of settings may be. The parser takes time with the square of the depth, and up to 600 bytes of memory for
// each byte. Aliases of aliases stand for any number of values.
const (
	maxFile   = 96 << 10 // bytes
	maxDepth  = 100      // brackets within brackets, or marks at the beginning of a line
	maxValues = 1 << 16  // with each alias as what it stands for
)

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
	r := &reader{all: Of(v), but: but, anchors: map[string]ast.Node{}}
	err := r.keys(doc, "")
	return r.given, err
}

// reader goes through a document.
type reader struct {
	all   []Setting
	but   []string
	given []Setting

	anchors map[string]ast.Node
}

func (r *reader) keys(node ast.Node, prefix string) error {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		return nil
	}
	kept := m.Values[:0:0]
	for _, pair := range m.Values {
		if pair.Key.IsMergeKey() {
			return errors.Errorf("%s<<: values cannot be merged in; write them out", prefix)
		}
		key := prefix + pair.Key.GetToken().Value
		if prefix == "" && len(r.but) > 0 && under(key, r.but) {
			continue
		}
		keep, err := r.value(&pair.Value, key)
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
func (r *reader) value(at *ast.Node, key string) (keep bool, err error) {
	switch n := (*at).(type) {
	case *ast.NullNode:
		for _, s := range r.all {
			if under(s.Key, []string{key}) && s.Key != "" {
				return false, nil
			}
		}
		return true, nil // no known key
	case *ast.MappingNode:
		return true, r.keys(n, key+".")
	case *ast.AnchorNode:
		r.anchors[n.Name.GetToken().Value] = n.Value
		return r.value(&n.Value, key)
	case *ast.AliasNode:
		*at = r.anchors[n.Value.GetToken().Value]
		return r.value(at, key)
	case *ast.TagNode:
		return true, errors.Errorf("%s: a tag, %s; want a plain value", key, n.Start.Value)
	}
	for _, s := range r.all {
		if s.Key != key {
			continue
		}
		r.given = append(r.given, s)
		node := plain(*at, s.typ.Kind())
		*at = node
		if want := wanted(s.typ.Kind(), node); want != "" {
			return true, errors.Errorf("%s is %s; it must be %s", key, short(node.String()), want)
		}
	}
	return true, nil
}

// plain returns a number that the parser takes for a text: 1e3, which has no point.
func plain(node ast.Node, kind reflect.Kind) ast.Node {
	s, ok := node.(*ast.StringNode)
	if !ok || s.Token.Type != token.StringType || kind != reflect.Int && kind != reflect.Uint64 && kind != reflect.Float64 {
		return node
	}
	v, err := strconv.ParseFloat(s.Value, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return node
	}
	return &ast.FloatNode{BaseNode: s.BaseNode, Token: s.Token, Value: v}
}

// short is a text that fits into a message.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// wanted says what a value must be, where the file's is of another kind; "" where it fits.
func wanted(kind reflect.Kind, node ast.Node) string {
	f, float := node.(*ast.FloatNode)
	number := node.Type() == ast.IntegerType || float
	switch kind {
	case reflect.Int, reflect.Uint64:
		if !number || float && (f.Value != math.Trunc(f.Value) || math.Abs(f.Value) >= 1<<53) {
			return "a whole number"
		}
	case reflect.Float64:
		if !number && node.Type() != ast.InfinityType && node.Type() != ast.NanType { // these its range refuses
			return "a number"
		}
	case reflect.Bool:
		if node.Type() != ast.BoolType {
			return "true or false"
		}
	case reflect.String:
		if _, scalar := node.(ast.ScalarNode); !scalar {
			return "a text"
		}
	}
	return ""
}
