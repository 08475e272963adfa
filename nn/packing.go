package nn

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// Packing says that each row of a batch holds several documents, one behind the other. They know nothing of each other:
// attention stays within a document, and positions count from its start. A packed row costs what one long document
// costs, and saves the padding of short ones.
//
//	segments   0  0  0  1  1  2  2  2 −1     the padding is one more document
//	positions  0  1  2  0  1  0  1  2  0
//
// Either may be nil: without Segments a row is one document, and without Positions they count through the row.
type Packing struct {
	Segments  *graph.Node // ids (B, T): any number, the same for all tokens of a document
	Positions *graph.Node // ids (B, T): the position of each token in its document
}

// Pack gives the graph's layers a packing. It is called once, on the root scope. After the first parameter, and in mode
// Generate, it is an error.
func (s *Scope) Pack(p Packing) {
	if s.build.mode == Generate || len(s.build.declared) > 0 {
		s.Fail(errors.New("nn: Pack: want it before the model, in mode Train or Eval"))
		return
	}
	s.build.packing = p
}

// Segments returns the ids (B, T) of the document of each token, for [graph.AttentionOpts]. It is nil where nothing is
// packed.
func (s *Scope) Segments() *graph.Node { return s.build.packing.Segments }
