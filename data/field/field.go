// Package field holds the names by which sources of batches, models, losses and the training loop know each other's
// arrays. It imports nothing, so that every package can use it.
//
//	b := data.NewBatch([]data.Field{{Name: field.IDs, Int: true, Shape: []int{64}}, {Name: field.Y, Int: true}}, 8)
//	ids, classes := b[field.IDs].Int, b[field.Y].Int
package field

// Names of a batch's arrays. B is the number of examples, T the length of the longest one.
const (
	IDs       = "ids"       // token ids (B, T), int32
	X         = "x"         // numbers (B, …) or vectors in time (B, T, F), float32
	Y         = "y"         // targets: numbers (float32) or ids (int32)
	Last      = "last"      // index of each example's last id or vector (B), int32
	Segments  = "segments"  // number of the example in its row (B, T), int32; −1 is padding
	Positions = "positions" // place within its example (B, T), int32
	Start     = "start"     // tokens of each row that a cache holds already (B), int32; for generation
	Rows      = "rows"      // the row whose cache each row takes over (B), int32; for beam search
)

// Names of what a model gives for a batch. The raw outputs of a model, such as logits, have the name [Y] as well.
const (
	Pooled  = "pooled"  // one vector for each example, before the head (B, N)
	Predict = "predict" // outputs as the loss reads them: probabilities or numbers
	Logits  = "logits"  // scores of each token of the vocabulary (B, T, V)
)

// Names of the scalars of a training step.
const (
	Loss     = "loss"      // sum of the losses of the examples or tokens that count
	Weight   = "weight"    // number of them, or the sum of their weights
	GradNorm = "grad_norm" // norm of the gradient over all parameters
)
