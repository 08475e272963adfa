package token

import (
	"encoding/binary"
	"math/bits"
)

// A cache remembers the ids of pieces. It is a direct-mapped table of one size: a new piece takes the place of an old
// one. Longer pieces, and pieces of more tokens, are not worth a place, as they seldom come again.
type cache struct {
	slots []cacheSlot
}

// A cacheSlot is half a cache line. A piece of n ≤ 15 bytes is the little-endian lo, hi with n in the last byte.
type cacheSlot struct {
	lo, hi uint64 // hi is 0 where the slot is free
	ids    [maxCachedIDs]int32
	n      int32
}

const (
	maxCachedBytes = 15
	maxCachedIDs   = 3
	cacheBits      = 15 // 1 MiB: Tiny Shakespeare has 23,000 different pieces
)

func newCache() cache { return cache{make([]cacheSlot, 1<<cacheBits)} }

// slot returns the only place where lo, hi may be.
func (c *cache) slot(lo, hi uint64) *cacheSlot {
	// Two odd constants that are unlikely to cancel out: those of wyhash (Wang Yi).
	high, low := bits.Mul64(lo^0xA0761D6478BD642F, hi^0xE7037ED1A0B428DB)
	return &c.slots[(high^low)>>(64-cacheBits)&(1<<cacheBits-1)]
}

// piece packs text[from:to], 1 to maxCachedBytes bytes.
func packPiece(text []byte, from, to int) (lo, hi uint64) {
	n := uint(to - from)
	if from+16 <= len(text) {
		lo = binary.LittleEndian.Uint64(text[from:])
		if n <= 8 {
			return lo & (^uint64(0) >> (64 - 8*n)), uint64(n) << 56
		}
		hi = binary.LittleEndian.Uint64(text[from+8:]) & (1<<(8*(n-8)) - 1)
		return lo, hi | uint64(n)<<56
	}
	for i, c := range text[from:to] {
		if i < 8 {
			lo |= uint64(c) << (8 * i)
		} else {
			hi |= uint64(c) << (8 * (i - 8))
		}
	}
	return lo, hi | uint64(n)<<56
}
