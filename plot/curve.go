// Package plot draws curves as text, and graphs of ops as pictures.
package plot

import "github.com/guptarohit/asciigraph"

// The size of a curve, in characters.
const curveWidth, curveHeight = 70, 12

// Curve draws values as a curve in text, 70 columns wide and 13 lines high, over a caption. A column has the mean of
// the values that fall into it. Fewer than two values give "".
func Curve(values []float64, caption string) string {
	n := len(values)
	if n < 2 {
		return ""
	}
	points := make([]float64, curveWidth)
	for i := range points {
		lo, hi := i*n/curveWidth, max(i*n/curveWidth+1, (i+1)*n/curveWidth)
		sum := 0.0
		for _, v := range values[lo:hi] {
			sum += v
		}
		points[i] = sum / float64(hi-lo)
	}
	return asciigraph.Plot(points, asciigraph.Height(curveHeight), asciigraph.Caption(caption))
}
