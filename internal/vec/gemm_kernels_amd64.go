package vec

// By path; plain Go for those without an entry.
var (
	byPath32 = [...]*kernel[float32]{
		Generic: &plain32,
		AVX2:    {mr: 6, nr: 16, depth: 384, run: tileAVX2F32, runs: packRuns, columns: packColumns, rows: addRows, dots: addDots},
		AVX512:  {mr: 14, nr: 32, depth: 256, run: tileAVX512F32, runs: packRuns, columns: packColumns, rows: addRows, dots: addDots},
	}
	byPath64 = [...]*kernel[float64]{
		Generic: &plain64,
		AVX2:    {mr: 6, nr: 8, depth: 384, run: tileAVX2F64, runs: packRuns, rows: rowsGo[float64], dots: dotsGo[float64]},
		AVX512:  {mr: 14, nr: 16, depth: 256, run: tileAVX512F64, runs: packRuns, rows: rowsGo[float64], dots: dotsGo[float64]},
	}
)

// gemmKernel has the loops of the current path.
func gemmKernel[T Float]() *kernel[T] { return pick[T](byPath32[path], byPath64[path]) }
