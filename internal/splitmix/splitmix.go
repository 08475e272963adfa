// Package splitmix has the mixing function of SplitMix64, from which the module's counter generators are made.
//
// Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014, figures 14 and 16.
package splitmix

// Gamma is what the state of SplitMix64 grows by for each number: 2⁶⁴ over the golden ratio, made odd.
const Gamma = 0x9e3779b97f4a7c15

// Mix is the finaliser of SplitMix64, a one-to-one map of 64 bits. Where one bit of z changes, about half of the bits
// of the result do. Mix(0) is 0.
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Next is the number that SplitMix64 gives from state z: Mix(z + Gamma).
func Next(z uint64) uint64 { return Mix(z + Gamma) }

// At returns number i of a stream of a seed. It is a function of its arguments alone, so that a position is all there
// is to save:
//
//	Mix(Mix(Mix(seed + Gamma) + stream·Gamma) + i·Gamma)
func At(seed, stream, i uint64) uint64 { return Mix(Mix(Mix(seed+Gamma)+stream*Gamma) + i*Gamma) }
