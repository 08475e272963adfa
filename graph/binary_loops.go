package graph

import "github.com/ceto-ml/ceto/internal/vec"

// one is the function of kind k, for the loops that vec does not have. The maximum and the minimum of NaN and a
// number are NaN.
func one[T Float](k binaryKind, a, b T) T {
	switch k {
	case kindAdd:
		return a + b
	case kindSub:
		return a - b
	case kindMul:
		return a * b
	case kindDiv:
		return a / b
	case kindMax:
		return max(a, b)
	case kindMin:
		return min(a, b)
	case kindHeaviside:
		return heaviside(a, b)
	case kindSame:
		if a == b {
			return 1
		}
		return 0
	}
	return a // kindLeft
}

// heaviside is 1 where a > b, ½ where they are equal, 0 where a < b; NaN if either is.
func heaviside[T Float](a, b T) T {
	switch {
	case a > b:
		return 1
	case a == b:
		return 0.5
	case a < b:
		return 0
	}
	return a + b
}

// rows computes y = k(a, b) on elements side by side.
func rows[T Float](k binaryKind, y, a, b []T) {
	switch k {
	case kindAdd:
		vec.Add(y, a, b)
	case kindSub:
		vec.Sub(y, a, b)
	case kindMul:
		vec.Mul(y, a, b)
	case kindDiv:
		vec.Div(y, a, b)
	case kindMax:
		for i, v := range a {
			y[i] = max(v, b[i])
		}
	case kindMin:
		for i, v := range a {
			y[i] = min(v, b[i])
		}
	case kindLeft:
		copy(y, a)
	default:
		for i, v := range a {
			y[i] = one(k, v, b[i])
		}
	}
}

// rowLeft computes y = k(a, b) for one a.
func rowLeft[T Float](k binaryKind, y []T, a T, b []T) {
	switch k {
	case kindAdd:
		vec.AddScalar(y, b, a)
	case kindMul:
		vec.Scale(y, b, a)
	case kindLeft:
		vec.Fill(y, a)
	default:
		for i, v := range b {
			y[i] = one(k, a, v)
		}
	}
}

// rowRight computes y = k(a, b) for one b.
func rowRight[T Float](k binaryKind, y, a []T, b T) {
	switch k {
	case kindAdd:
		vec.AddScalar(y, a, b)
	case kindSub:
		vec.AddScalar(y, a, -b)
	case kindMul:
		vec.Scale(y, a, b)
	default:
		for i, v := range a {
			y[i] = one(k, v, b)
		}
	}
}
