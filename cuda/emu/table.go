package emu

import "maps"

// table has a row for each opcode: by its whole name, by its first part with its last type, or by its first part
// alone.
var table map[string]opcode

func init() {
	table = map[string]opcode{}
	for _, rows := range []map[string]opcode{
		integerRows(), logicRows(), bitRows(), wideRows(), carryRows(), floatRows(), doubleRows(), approxRows(), halfRows(),
		convertRows(), compareRows(), moveRows(), memoryRows(), atomicRows(), asyncRows(), controlRows(), warpRows(), matrixRows(),
	} {
		maps.Copy(table, rows)
	}
}

// anyInt is an integer that a register holds.
type anyInt interface {
	~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64
}

// one applies f to each lane.
func one[T anyInt](f func(a T) T) vop {
	mask := maskOf[T]()
	return func(d, a, _, _ *lanes) {
		for i := range d {
			d[i] = uint64(f(T(a[i]))) & mask
		}
	}
}

// two applies f to each lane.
func two[T anyInt](f func(a, b T) T) vop {
	mask := maskOf[T]()
	return func(d, a, b, _ *lanes) {
		for i := range d {
			d[i] = uint64(f(T(a[i]), T(b[i]))) & mask
		}
	}
}

// three applies f to each lane.
func three[T anyInt](f func(a, b, c T) T) vop {
	mask := maskOf[T]()
	return func(d, a, b, c *lanes) {
		for i := range d {
			d[i] = uint64(f(T(a[i]), T(b[i]), T(c[i]))) & mask
		}
	}
}

func bitsOf[T anyInt]() int {
	switch any(T(0)).(type) {
	case int16, uint16:
		return 16
	case int32, uint32:
		return 32
	}
	return 64
}

func maskOf[T anyInt]() uint64 { return ^uint64(0) >> (64 - bitsOf[T]()) }

// sig1, sig2 and sig3 are signatures of one type.
func sig1(t string) string { return t + " " + t }
func sig2(t string) string { return t + " " + t + " " + t }
func sig3(t string) string { return t + " " + t + " " + t + " " + t }
