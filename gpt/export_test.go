package gpt

// Next returns the logits after ids, all but the last of which are in the caches.
func (g *Generator) Next(ids []int32) ([]float32, error) { return g.next(ids) }

// Sizes lists the sizes of the plans that g keeps.
func (g *Generator) Sizes() []int { return g.recent }

// Choose is how a token is drawn.
var Choose = SampleOptions.choose
