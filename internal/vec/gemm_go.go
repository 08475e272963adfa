package vec

import "unsafe"

// The plain Go twins of the generated loops.

var (
	plain32 = kernel[float32]{mr: goRows, nr: goCols, depth: 256, run: tileGo[float32], rows: rowsGo[float32], dots: dotsGo[float32]}
	plain64 = kernel[float64]{mr: goRows, nr: goCols, depth: 256, run: tileGo[float64], rows: rowsGo[float64], dots: dotsGo[float64]}
)

// pick is the one of two that is for dtype T.
func pick[T Float](f32 *kernel[float32], f64 *kernel[float64]) *kernel[T] {
	if k, ok := any(f32).(*kernel[T]); ok {
		return k
	}
	return any(f64).(*kernel[T])
}

const goRows, goCols = 4, 4

// get is the element off bytes after p.
func get[T Float](p unsafe.Pointer, off int) T { return *(*T)(unsafe.Add(p, off)) }

// tileGo is the tile kernel for any strip.
func tileGo[T Float](t *tile) {
	var sum [goRows][goCols]T
	for i := 0; i < t.m; i += goRows {
		h := min(goRows, t.m-i)
		sum = [goRows][goCols]T{}
		switch {
		case t.k == 0:
		case h == goRows:
			stripGo(t, i/goRows*t.as, &sum)
		default:
			lowGo(t, i/goRows*t.as, h, &sum)
		}
		finishGo(t, i, h, &sum)
	}
}

// stripGo sums a full strip whose first element is off bytes into A, two rows at a time.
func stripGo[T Float](t *tile, off int, sum *[goRows][goCols]T) {
	size := int(unsafe.Sizeof(T(0)))
	for i := 0; i < goRows; i += 2 {
		var s00, s01, s02, s03, s10, s11, s12, s13 T
		oa, ob := off+i*t.ar, 0
		for range t.k {
			a0, a1 := get[T](t.a, oa), get[T](t.a, oa+t.ar)
			b := get[T](t.b, ob)
			s00 += a0 * b
			s10 += a1 * b
			b = get[T](t.b, ob+size)
			s01 += a0 * b
			s11 += a1 * b
			b = get[T](t.b, ob+2*size)
			s02 += a0 * b
			s12 += a1 * b
			b = get[T](t.b, ob+3*size)
			s03 += a0 * b
			s13 += a1 * b
			oa += t.ac
			ob += t.br
		}
		sum[i] = [goCols]T{s00, s01, s02, s03}
		sum[i+1] = [goCols]T{s10, s11, s12, s13}
	}
}

// lowGo sums a strip of h rows.
func lowGo[T Float](t *tile, off, h int, sum *[goRows][goCols]T) {
	size := int(unsafe.Sizeof(T(0)))
	for i := range h {
		s := &sum[i]
		oa, ob := off+i*t.ar, 0
		for range t.k {
			a := get[T](t.a, oa)
			for j := range s {
				s[j] += a * get[T](t.b, ob+j*size)
			}
			oa += t.ac
			ob += t.br
		}
	}
}

// finishGo writes the sums of h rows to C from row i on.
func finishGo[T Float](t *tile, i, h int, sum *[goRows][goCols]T) {
	alpha := *(*T)(t.alpha)
	for r := range h {
		c := unsafe.Slice((*T)(unsafe.Add(t.c, (i+r)*t.cr)), t.n)
		for j := range c {
			v := alpha * sum[r][j]
			if t.bias != nil {
				v += unsafe.Slice((*T)(t.bias), t.n)[j]
			}
			if t.add != 0 {
				v += c[j]
			}
			c[j] = v
		}
	}
}

// rowsGo is y[j] += Σᵢ x[i]·b[i·ld+j] for j < n, i < k; ld is in bytes.
func rowsGo[T Float](y, x, b unsafe.Pointer, n, k, ld int) {
	sum, a := unsafe.Slice((*T)(y), n), unsafe.Slice((*T)(x), k)
	row := func(i int) []T { return unsafe.Slice((*T)(unsafe.Add(b, i*ld)), n) }
	for len(a) > 0 {
		i := k - len(a)
		if len(a) < 4 {
			for j, v := range row(i)[:len(sum)] {
				sum[j] += a[0] * v
			}
			a = a[1:]
			continue
		}
		b0, b1, b2, b3 := row(i)[:len(sum)], row(i + 1)[:len(sum)], row(i + 2)[:len(sum)], row(i + 3)[:len(sum)]
		for j := range sum {
			sum[j] += a[0]*b0[j] + a[1]*b1[j] + a[2]*b2[j] + a[3]*b3[j]
		}
		a = a[4:]
	}
}

// dotsGo is y[j] += Σᵢ x[i]·b[j·ld+i] for j < n, i < k; ld is in bytes.
func dotsGo[T Float](y, x, b unsafe.Pointer, n, k, ld int) {
	sum, a := unsafe.Slice((*T)(y), n), unsafe.Slice((*T)(x), k)
	for j := range sum {
		col := unsafe.Slice((*T)(unsafe.Add(b, j*ld)), k)
		var s0, s1, s2, s3 T
		i := 0
		for ; i+4 <= k; i += 4 {
			s0 += a[i] * col[i]
			s1 += a[i+1] * col[i+1]
			s2 += a[i+2] * col[i+2]
			s3 += a[i+3] * col[i+3]
		}
		for ; i < k; i++ {
			s0 += a[i] * col[i]
		}
		sum[j] += s0 + s1 + s2 + s3
	}
}
