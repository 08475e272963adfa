package token

import (
	"cmp"
	"math/bits"
	"slices"
)

// pairs maps an adjacent pair of tokens to its merge: an open-addressed table, at most half full, with linear probing.
type pairs struct {
	slots []pairSlot
	shift int // 64 − log₂ len(slots)
	n     int
}

// A pairSlot holds left<<32 | right and rank<<32 | id of the two joined, noPair where it is free.
type pairSlot struct{ pair, merge uint64 }

// noPair is more than any pair and any merge: no merge is less urgent.
const noPair = ^uint64(0)

// newPairs returns a table with room for n pairs.
func newPairs(n int) pairs {
	log := bits.Len(uint(2*n + 1))
	p := pairs{slots: make([]pairSlot, 1<<log), shift: 64 - log}
	for i := range p.slots {
		p.slots[i] = pairSlot{noPair, noPair}
	}
	return p
}

// slot returns the place of a pair: its own or the free one where it would go.
func (p *pairs) slot(pair uint64) *pairSlot {
	// Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4.
	for i := pair * 0x9E3779B97F4A7C15 >> p.shift; ; i++ {
		s := &p.slots[i&uint64(len(p.slots)-1)]
		if s.pair == pair || s.pair == noPair {
			return s
		}
	}
}

// set adds a pair or replaces its merge.
func (p *pairs) set(left, right, rank, id int32) {
	pair := uint64(left)<<32 | uint64(right)
	s := p.slot(pair)
	if s.pair == noPair {
		p.n++
	}
	*s = pairSlot{pair, uint64(rank)<<32 | uint64(id)}
}

// get returns rank<<32 | id of the merge of two tokens, noPair for none.
func (p *pairs) get(left, right int32) uint64 {
	return p.slot(uint64(left)<<32 | uint64(right)).merge
}

// sorted lists the pairs, the most urgent first.
func (p *pairs) sorted() []pairSlot {
	list := make([]pairSlot, 0, p.n)
	for _, s := range p.slots {
		if s.pair != noPair {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b pairSlot) int { return cmp.Compare(a.merge, b.merge) })
	return list
}
