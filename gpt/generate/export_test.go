package generate

// Next returns the logits after ids, taking what it can from the caches.
func (g *Generator) Next(ids []int32) ([]float32, error) {
	logits, err := g.feed([][]int32{ids}, nil)
	if err != nil {
		return nil, err
	}
	return logits[0], nil
}

// Sizes lists the sizes of the plans that g keeps.
func (g *Generator) Sizes() []int {
	var sizes []int
	for _, k := range g.recent {
		sizes = append(sizes, k.tokens)
	}
	return sizes
}

// Choose is how a token is drawn.
func Choose(o Options, logits []float32, u float64) int32 {
	return newChooser(o, nil, 0).draw(logits, u)
}
