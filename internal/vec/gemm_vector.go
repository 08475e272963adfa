package vec

import "unsafe"

// vector computes columns j0 to j1 of a product of one row, reading each element of B once. It returns false, having
// done nothing, for a B whose rows and columns are both scattered.
func (ws *workspace[T]) vector(k *kernel[T], g *Gemm[T], j0, j1 int) bool {
	if g.B.Row != 1 && g.B.Col != 1 {
		return false
	}
	size := int(unsafe.Sizeof(T(0)))
	ws.a = grow(ws.a, max(g.K, 1))
	x := ws.a[:g.K]
	for i := range x {
		x[i] = ws.alpha * g.A.Data[i*g.A.Col]
	}
	for j := j0; j < j1; j += vectorPiece {
		n := min(vectorPiece, j1-j)
		y := g.C.Data[j : j+n]
		switch {
		case !g.Add && g.Bias == nil:
			clear(y)
		case !g.Add:
			copy(y, g.Bias[j:j+n])
		case g.Bias != nil:
			for c, b := range g.Bias[j : j+n] {
				y[c] += b
			}
		}
		switch {
		case g.K == 0:
		case g.B.Col == 1:
			k.rows(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), g.B.at(0, j), n, g.K, g.B.Row*size)
		default:
			k.dots(unsafe.Pointer(&y[0]), unsafe.Pointer(&x[0]), g.B.at(0, j), n, g.K, g.B.Col*size)
		}
		if g.Act != nil {
			g.Act(y)
		}
	}
	return true
}

// vectorPiece is how many elements of y stay in the nearest cache while the rows of B pass by.
const vectorPiece = 1024
