package jinja

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"github.com/pkg/errors"
)

// ReadJSON returns one JSON value as a variable for [Template.Render]. Objects are [*Map], with their keys in their
// order. As in Python, 1 is a whole number and 1.0 is none. The last one of equal keys wins.
func ReadJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one value")
		}
	}
	return v, errors.Wrap(err, "jinja: JSON")
}

func readJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.Errorf("nested deeper than %d", maxDepth)
	}
	t, err := d.Token()
	switch t := t.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i, nil
		}
		return t.Float64()
	case json.Delim:
		m, items := new(Map), []any{}
		for d.More() {
			key, err := json.Token(nil), err
			if t == '{' {
				if key, err = d.Token(); err != nil {
					return nil, err
				}
			}
			v, err := readJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			if items = append(items, v); t == '{' {
				m.Set(key.(string), v)
			}
		}
		if _, err := d.Token(); t == '[' {
			return items, err
		}
		return m, err
	}
	return t, err
}
