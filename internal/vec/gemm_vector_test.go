package vec

import "testing"

// vectors are products of one row at every width and depth that its loops treat apart, onto a C that is not zero.
func vectors() (table []product) {
	for n := 1; n <= 33; n++ {
		if testing.Short() && inner(n) && n > 3 {
			continue
		}
		for k := 1; k <= 43; k += 1 + k/8 {
			for _, b := range []layout{{gap: k % 2}, {gap: 9 * (k % 2), trans: true}} {
				table = append(table, product{m: 1, n: n, k: k, b: b, add: k%3 != 0, bias: k%3 != 1})
			}
		}
	}
	return table
}

// inner says that n is neither a multiple of 8 nor beside one.
func inner(n int) bool { return n%8 > 1 && n%8 < 7 }

func TestGemmVector(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, p := range vectors() {
			if err := check[float32](p, 1, nil); err != nil {
				t.Errorf("float32 %+v: %v", p, err)
			}
			if err := check[float64](p, 1, nil); err != nil {
				t.Errorf("float64 %+v: %v", p, err)
			}
		}
	})
}
