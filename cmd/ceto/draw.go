package main

import (
	"io"

	"github.com/ceto-ml/ceto/graph"
)

func drawSVG(w io.Writer, g *graph.Graph, title string) error { return nil }
func drawDOT(w io.Writer, g *graph.Graph, title string) error { return nil }
