package blas

import "math"

// noEpilogue is CUBLASLT_EPILOGUE_DEFAULT.
const noEpilogue = 1

// An epilogue is what becomes of α·op(A)·op(B) + β·C before it is D.
type epilogue struct {
	bias       bool // adds a number to each row
	relu, gelu bool
	keep       bool // aux gets what the GELU gets
	dgelu      bool // multiplies by the derivative of the GELU at aux
	// The gradient of a bias goes to the vector of the bias:
	gradD bool // the sum of each row of D
	gradA bool // the sum of each row of op(A)
	gradB bool // the sum of each column of op(B)
}

// epilogues are those of cublasLtEpilogue_t that the stand-in has.
var epilogues = map[int32]epilogue{
	noEpilogue: {},
	2:          {relu: true},
	4:          {bias: true},
	6:          {relu: true, bias: true},
	32:         {gelu: true},
	36:         {gelu: true, bias: true},
	160:        {gelu: true, keep: true},
	164:        {gelu: true, keep: true, bias: true},
	192:        {dgelu: true},
	208:        {dgelu: true, gradD: true},
	256:        {gradA: true},
	512:        {gradB: true},
}

// refusals tell for each word of [New] whether it means an epilogue.
var refusals = map[string]func(e epilogue) bool{
	"bias":     func(e epilogue) bool { return e.bias },
	"bgrad":    func(e epilogue) bool { return e.grad() },
	"gelu_aux": func(e epilogue) bool { return e.keep },
	"dgelu":    func(e epilogue) bool { return e.dgelu },
}

func (e epilogue) grad() bool { return e.gradA || e.gradB || e.gradD }
func (e epilogue) aux() bool  { return e.keep || e.dgelu }

// vector tells whether the epilogue has a vector: a bias or its gradient.
func (e epilogue) vector() bool { return e.bias || e.grad() }

// The tanh approximation of the GELU, as the manual of the library has it (note 5 of cublasLtEpilogue_t).
const (
	geluScale = 0.7978845608028654 // √(2/π)
	geluCubic = 0.044715
)

func gelu(v float32) float32 {
	x := float64(v)
	return float32(x / 2 * (1 + math.Tanh(geluScale*(x+geluCubic*x*x*x))))
}

// geluGrad is the derivative of gelu.
func geluGrad(v float32) float32 {
	x := float64(v)
	t := math.Tanh(geluScale * (x + geluCubic*x*x*x))
	return float32((1+t)/2 + x/2*(1-t*t)*geluScale*(1+3*geluCubic*x*x))
}
