package vec

import "unsafe"

// packA points the tile at rows i to i+t.m and columns p to p+t.k of A. They stay in place where the kernel reads
// them well as they lie. Elsewhere they are copied to where strips lie close together.
func (ws *workspace[T]) packA(k *kernel[T], g *Gemm[T], i, p, panels int) {
	t := &ws.tile
	size := int(unsafe.Sizeof(T(0)))
	if t.k == 0 {
		return
	}
	if t.m < k.mr || inPlace(k, g.A, size, panels) {
		t.a = g.A.at(i, p)
		t.ar, t.ac, t.as = g.A.Row*size, g.A.Col*size, k.mr*g.A.Row*size
		return
	}
	if g.A.Col == 1 {
		row := t.k + pad
		ws.a = grow(ws.a, t.m*row)
		for r := range t.m {
			copy(ws.a[r*row:r*row+t.k], g.A.Data[(i+r)*g.A.Row+p:])
		}
		t.ar, t.ac, t.as = row*size, size, k.mr*row*size
	} else {
		ws.a = grow(ws.a, ceil(t.m, k.mr)*k.mr*t.k)
		packStrips(k, g.A, ws.a, i, t.m, p, t.k)
		t.ar, t.ac, t.as = size, k.mr*size, k.mr*t.k*size
	}
	t.a = unsafe.Pointer(&ws.a[0])
}

// inPlace says whether panels of B read A better as it lies. Contiguous rows need no copy, unless a strip has more
// than a set of the nearest cache holds and all rows fall into one set. Contiguous columns a stride apart fill many
// sets and pages, which pays for few panels only. Where they fall into few sets it pays for none.
func inPlace[T Float](k *kernel[T], a Mat[T], size, panels int) bool {
	const sets, ways = 4096, 8 // bytes after which an address falls into the same set, lines of a set
	switch {
	case panels < 4:
		return true
	case a.Col == 1:
		return k.mr <= ways || a.Row*size%sets != 0
	case a.Row == 1:
		return panels < 12 && a.Col*size%(sets/2) != 0
	}
	return true
}

// packStrips packs rows i to i+m of an A with contiguous columns, as strips of mr rows by depth.
func packStrips[T Float](k *kernel[T], a Mat[T], dst []T, i, m, p, depth int) {
	strips, size := m/k.mr, int(unsafe.Sizeof(T(0)))
	if k.runs != nil {
		k.runs(unsafe.Pointer(&dst[0]), a.at(i, p), depth, a.Col*size, strips, k.mr*depth*size, k.mr*size)
	} else {
		for c := range depth {
			for s := range strips {
				*(*[goRows]T)(dst[(s*depth+c)*k.mr:]) = *(*[goRows]T)(a.Data[i+s*k.mr+(p+c)*a.Col:])
			}
		}
	}
	dst = dst[strips*k.mr*depth:]
	for r := strips * k.mr; r < m; r++ {
		for c := range depth {
			dst[c*k.mr+r%k.mr] = a.Data[i+r+(p+c)*a.Col]
		}
	}
}

// packB fills ws.b with the panels of rows p to p+t.k, columns j0 to j1 of B, each t.k rows of nr. Where few strips
// would read them it leaves B as it is, but for a last panel that is not full, and returns true.
func (ws *workspace[T]) packB(k *kernel[T], g *Gemm[T], m, p, j0, j1 int) (direct bool) {
	t := &ws.tile
	if t.k == 0 {
		return false
	}
	n := j1 - j0
	panel := t.k * k.nr
	ws.b = grow(ws.b, ceil(n, k.nr)*panel)
	if direct = g.B.Col == 1 && m <= 2*k.mr; direct {
		j0 = j1 - n%k.nr
	}
	for j := j0; j < j1; {
		dst := ws.b[(n-(j1-j))/k.nr*panel:]
		switch {
		case j+k.nr > j1:
			packEdge(k, g.B, dst, p, t.k, j, j1)
		case g.B.Col == 1:
			full := min(4, (j1-j)/k.nr)
			packRows(k, g.B, dst, p, t.k, j, full)
			j += (full - 1) * k.nr
		case g.B.Row == 1 && k.columns != nil:
			packCols(k, g.B, dst, p, t.k, j)
		default:
			packEdge(k, g.B, dst, p, t.k, j, j1)
		}
		j += k.nr
	}
	return direct
}

// packRows packs full panels of a B with contiguous rows, side by side.
func packRows[T Float](k *kernel[T], b Mat[T], dst []T, p, depth, j, panels int) {
	if k.runs != nil {
		size := int(unsafe.Sizeof(T(0)))
		k.runs(unsafe.Pointer(&dst[0]), b.at(p, j), depth, b.Row*size, panels, depth*k.nr*size, k.nr*size)
		return
	}
	for r := range depth {
		src := b.Data[(p+r)*b.Row+j:][:panels*k.nr]
		d := dst[r*k.nr:]
		for q := range panels {
			*(*[goCols]T)(d[q*depth*k.nr:]) = *(*[goCols]T)(src[q*k.nr:])
		}
	}
}

// packCols packs a full panel of a B with contiguous columns.
func packCols[T Float](k *kernel[T], b Mat[T], dst []T, p, depth, j int) {
	size := int(unsafe.Sizeof(T(0)))
	whole := depth &^ 7
	for c := 0; c < k.nr; c += 8 {
		if whole > 0 {
			k.columns(unsafe.Pointer(&dst[c]), b.at(p, j+c), depth/8, b.Col*size, k.nr*size)
		}
	}
	for r := whole; r < depth; r++ {
		for c := range k.nr {
			dst[r*k.nr+c] = b.Data[p+r+(j+c)*b.Col]
		}
	}
}

// packEdge packs columns j to j1 of any B, at most a panel, and fills it up with zeros.
func packEdge[T Float](k *kernel[T], b Mat[T], dst []T, p, depth, j, j1 int) {
	n := min(k.nr, j1-j)
	dst = dst[:depth*k.nr]
	if n < k.nr {
		clear(dst)
	}
	for c := range n {
		o := p*b.Row + (j+c)*b.Col
		for r := range depth {
			dst[r*k.nr+c] = b.Data[o]
			o += b.Row
		}
	}
}
