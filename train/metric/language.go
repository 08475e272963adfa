package metric

import "math"

// TokenAccuracy is the share of tokens that are predicted right: [Accuracy] over rows (B·T, V), one for each token. A
// token that does not count, such as padding or a prompt, has a target below 0.
var TokenAccuracy Metric = measure{"token_accuracy", accuracy}

// Perplexity is exp(nll/tokens), where nll is the summed negative log likelihood of the tokens, in nats. It is NaN
// where both are 0.
func Perplexity(nll float64, tokens int) float64 { return math.Exp(nll / float64(tokens)) }

// BitsPerByte is nll/(bytes·ln 2), a measure that does not depend on how the text was split into tokens. Here nll is
// the summed negative log likelihood, in nats, of a text of that many bytes of UTF-8. It is NaN where both are 0.
func BitsPerByte(nll float64, bytes int) float64 { return nll / (float64(bytes) * math.Ln2) }
