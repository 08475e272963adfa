package main

import (
	"encoding/json"
	"io"
	"math"

	"github.com/pkg/errors"
)

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return errors.Wrap(err, "json")
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// finite is v, or nil where JSON has no number for it.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}
