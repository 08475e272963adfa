package ext

// Type is the type of a matrix: cudaDataType.
type Type int

// The types that Ceto uses.
const (
	Float32  Type = 0
	BFloat16 Type = 14
)

// Compute is how products are summed: cublasComputeType_t.
type Compute int

// The ways to sum. All sum in float32; they differ in what becomes of float32 operands.
const (
	Sum32    Compute = 68
	Pedantic Compute = 69 // no tensor cores for float32
	TF32     Compute = 77 // operands are rounded to 10 bits
)

// Epilogue is what becomes of the product: cublasLtEpilogue_t.
type Epilogue int

// The epilogues. The vector is added to or summed over D: one number a row. Aux is the operand of the GELU.
const (
	None          Epilogue = 1
	WithBias      Epilogue = 4
	GELU          Epilogue = 32
	GELUBias      Epilogue = 36
	GELUAux       Epilogue = 160
	GELUAuxBias   Epilogue = 164
	DGELU         Epilogue = 192
	DGELUBiasGrad Epilogue = 208
	BiasGradA     Epilogue = 256
	BiasGradB     Epilogue = 512
)

func (e Epilogue) vector() bool {
	switch e {
	case WithBias, GELUBias, GELUAuxBias, DGELUBiasGrad, BiasGradA, BiasGradB:
		return true
	}
	return false
}

func (e Epilogue) aux() bool {
	switch e {
	case GELUAux, GELUAuxBias, DGELU, DGELUBiasGrad:
		return true
	}
	return false
}

// Layout is how a matrix lies in memory: by columns, each LD elements after the one before. There are Batch of them,
// each Stride elements after the one before; 0 is one.
type Layout struct {
	Type           Type
	Rows, Cols, LD int
	Batch, Stride  int
}

// Product is D = epilogue(alpha·op(A)·op(B) + beta·C), where op may transpose.
type Product struct {
	A, B, C, D     Layout
	TransA, TransB bool
	Compute        Compute
	Epilogue       Epilogue
	VectorType     Type
	AuxType        Type
	AuxLD          int
	AuxStride      int
	Align          [4]int // bytes that the addresses of A, B, C and D are multiples of; 0 is 256
	Workspace      int    // the most bytes that an algorithm may take
}

// Algorithm is one way to compute a product. The bytes hold for one version of the library and one GPU.
type Algorithm struct {
	Data      [64]byte
	Workspace int     // bytes
	Waves     float32 // how well it fills the GPU
}

// Operands are the addresses of a product and its factors. Vector and Aux are those of the epilogue.
type Operands struct {
	A, B, C, D     uint64
	Vector, Aux    uint64
	Alpha, Beta    float32
	Workspace      uint64 // a multiple of 256
	WorkspaceBytes int
}
