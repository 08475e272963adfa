package blas

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// An algorithm is one way to compute a product.
type algorithm struct {
	id    uint32
	align int  // bytes that the addresses of matrices are multiples of; an element at least
	split bool // sums the halves of K apart, one of them in the workspace
}

// ways are the algorithms, the fastest first.
var ways = []algorithm{{id: 1, align: 16}, {id: 2, align: 16, split: true}, {id: 3, align: 1}}

// fewestSplit is the least K that is summed in halves.
const fewestSplit = 64

// workspace are the bytes that an algorithm needs.
func (w algorithm) workspace(p *product) int {
	if !w.split {
		return 0
	}
	return 4 * p.m * p.n
}

// fits tells whether an algorithm can compute a product whose matrices have the alignments.
func (w algorithm) fits(p *product, align [4]uint32) bool {
	for i := range p.mats {
		if m := &p.mats[i]; int(align[i])%w.align != 0 || !m.aligned(w.align) || int(align[i])%sizes[m.kind] != 0 {
			return false
		}
	}
	if x := p.biasLayout(); p.epilogue.vector() && (p.bias%uint64(w.align) != 0 || p.batch > 1 && !x.aligned(w.align)) {
		return false
	}
	return !w.split || p.k >= fewestSplit
}

// algorithmBytes are those of a cublasLtMatmulAlgo_t.
const algorithmBytes = 64

const magic = 0x6f74656373616c62

// pack writes an algorithm for a product.
func (w algorithm) pack(p *product) [algorithmBytes]byte {
	var b [algorithmBytes]byte
	binary.LittleEndian.PutUint64(b[0:], magic)
	binary.LittleEndian.PutUint64(b[8:], uint64(w.id))
	binary.LittleEndian.PutUint64(b[16:], p.signature())
	return b
}

// signature is a number of all that an algorithm is made for: not of addresses.
func (p *product) signature() uint64 {
	d := p.desc
	d.bias, d.aux = 0, 0
	h := fnv.New64a()
	fmt.Fprintf(h, "%+v %+v", d, p.mats) // a hash takes all
	return h.Sum64()
}

// choose reads the algorithm of a call, or finds one where it has none.
func (p *product) choose(c *Call) (algorithm, *refusal) {
	if c.Algorithm == nil {
		var align [4]uint32
		for i, at := range c.At {
			if align[i] = uint32(at & -at & 0xff); align[i] == 0 {
				align[i] = 256
			}
		}
		for _, w := range ways {
			if !w.split && w.fits(p, align) {
				return w, nil
			}
		}
		return algorithm{}, &refusal{NotSupported, "no algorithm for these layouts"}
	}
	if len(c.Algorithm) != algorithmBytes || binary.LittleEndian.Uint64(c.Algorithm) != magic {
		return algorithm{}, &refusal{InvalidValue, "an algorithm that the library did not make"}
	}
	if binary.LittleEndian.Uint64(c.Algorithm[16:]) != p.signature() {
		return algorithm{}, &refusal{InvalidValue, "the algorithm was made for another product or other layouts"}
	}
	for _, w := range ways {
		if uint64(w.id) == binary.LittleEndian.Uint64(c.Algorithm[8:]) {
			return w, nil
		}
	}
	return algorithm{}, &refusal{InvalidValue, "an algorithm that the library did not make"}
}

// lacks tells whether the library was told to have no such epilogue.
func (l *Library) lacks(e epilogue) bool {
	for _, word := range l.refuses {
		if f := refusals[word]; f != nil && f(e) {
			return true
		}
	}
	return false
}

// Heuristic is a cublasLtMatmulHeuristicResult_t.
type Heuristic struct {
	Algorithm [algorithmBytes]byte
	Workspace int // bytes
	Waves     float32
}

// MatmulAlgoGetHeuristic is cublasLtMatmulAlgoGetHeuristic: at most n algorithms, the fastest first. The addresses of
// bias and aux count as far as their alignment goes.
func (l *Library) MatmulAlgoGetHeuristic(h, prod uint64, layouts [4]uint64, pref uint64, n int) ([]Heuristic, Status) {
	f, ok := l.preferences[pref]
	switch {
	case !l.handles[h]:
		return nil, l.refuse(InvalidValue, "%d is no handle of the library", h)
	case !ok && pref != 0:
		return nil, l.refuse(InvalidValue, "%d is no handle of a preference", pref)
	case n < 1:
		return nil, l.refuse(InvalidValue, "%d algorithms", n)
	case !ok:
		usual := newPreference()
		f = &usual
	}
	p, s := l.resolve(prod, layouts)
	if s != Success {
		return nil, s
	}
	if l.lacks(p.epilogue) || p.epilogue.aux() && p.aux%16 != 0 {
		return nil, l.refuse(NotSupported, "no algorithm for epilogue %d", p.desc.epilogue)
	}
	var found []Heuristic
	for _, w := range ways {
		if len(found) < n && w.fits(p, f.align) && uint64(w.workspace(p)) <= f.workspace {
			blocks := (p.m + 127) / 128 * ((p.n + 127) / 128) * p.batch
			found = append(found, Heuristic{w.pack(p), w.workspace(p), float32(blocks) / processors})
		}
	}
	if len(found) == 0 {
		return nil, l.refuse(NotSupported, "no algorithm for these layouts")
	}
	return found, Success
}

// processors are those of the emulated GPU.
const processors = 4
