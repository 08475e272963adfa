package record

import (
	"math"
	"slices"

	"github.com/ceto-ml/ceto/internal/splitmix"
)

const (
	shingleRunes = 5   // characters of a shingle
	hashes       = 128 // number of them in a signature
	maxTried     = 64  // others that a record is compared with
	maxChain     = 256 // entries of a band that are looked at
)

// bandsFor returns the number of hashes in a band and of bands in a signature. Two texts share a band of r hashes with
// probability sʳ, so they share none of b with (1−sʳ)ᵇ. It takes the largest r that keeps this below 1/1000 at s, as
// that brings the fewest other pairs.
func bandsFor(s float64) (per, bands int) {
	for per = 16; per > 1; per-- {
		if math.Pow(1-math.Pow(s, float64(per)), float64(hashes/per)) < 1e-3 {
			break
		}
	}
	return per, hashes / per
}

// salts tell the hash functions of a signature apart; they are odd, so that none loses bits.
var salts = func() (a [hashes]uint64) {
	for j := range a {
		a[j] = splitmix.At(0, 1, uint64(j)) | 1
	}
	return a
}()

// signer computes signatures; it is scratch of one goroutine.
type signer struct {
	per int
	set []uint64
	min [hashes]uint64
}

// shingles returns the hashes of the different runs of 5 characters of a text, ascending; a shorter text is one. It is
// valid until the next call.
func (s *signer) shingles(text string) []uint64 {
	var last [shingleRunes]uint64
	set, n := s.set[:0], 0
	for _, c := range text {
		copy(last[:], last[1:])
		last[shingleRunes-1] = uint64(c) + 1 // 0 is none
		if n++; n >= shingleRunes {
			set = append(set, hash(last))
		}
	}
	if n < shingleRunes {
		set = append(set, hash(last))
	}
	slices.Sort(set)
	s.set = slices.Compact(set)
	return s.set
}

func hash(runes [shingleRunes]uint64) uint64 {
	var h uint64
	for _, c := range runes {
		h = (h ^ c) * splitmix.Gamma
		h ^= h >> 29
	}
	return splitmix.Mix(h)
}

// keys fills the keys of the bands: a hash of the least values of its hash functions over the set.
func (s *signer) keys(keys []uint32, set []uint64) {
	for j, a := range salts {
		least := uint64(math.MaxUint64)
		for _, h := range set {
			h = (h ^ a) * a
			least = min(least, h^h>>32)
		}
		s.min[j] = least
	}
	for b := range keys {
		var h uint64
		for _, m := range s.min[b*s.per : (b+1)*s.per] {
			h = splitmix.Mix(h ^ m)
		}
		keys[b] = uint32(h)
	}
}

// jaccard returns |A∩B|/|A∪B| of two ascending sets.
func jaccard(a, b []uint64) float64 {
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// like returns an inserted row that row i is like: an equal one, or else one among those that share most bands with it.
func (x *index) like(i int) (Pair, bool, error) {
	if j, ok := x.equal[x.digests[i]]; ok {
		return Pair{A: x.rows[j], Similarity: 1}, true, nil
	}
	others := x.others(i)
	if len(others) == 0 {
		return Pair{}, false, nil
	}
	if err := x.reshingle(i, &x.mine); err != nil {
		return Pair{}, false, err
	}
	for _, j := range others {
		if err := x.reshingle(j, &x.theirs); err != nil {
			return Pair{}, false, err
		}
		if s := jaccard(x.mine.set, x.theirs.set); s >= x.Similarity {
			return Pair{A: x.rows[j], Similarity: s}, true, nil
		}
	}
	return Pair{}, false, nil
}

func (x *index) reshingle(i int, s *signer) error {
	text, err := x.Text(x.rows[i])
	if err == nil {
		s.shingles(FoldText(text))
	}
	return err
}

// others returns the inserted rows that share a band with row i. Those that share most come first, then the earlier
// ones.
func (x *index) others(i int) []int {
	var found []int
	for e := i * x.bands; e < (i+1)*x.bands; e++ {
		o, ok := x.heads[x.key(e)]
		for n := 0; ok && o >= 0 && n < maxChain; n++ {
			j := int(o) / x.bands
			if x.shared[j] == 0 {
				found = append(found, j)
			}
			x.shared[j]++
			o = x.links[o]
		}
	}
	ranks := x.ranks[:0]
	for _, j := range found {
		a, b := float64(x.shingle[i]), float64(x.shingle[j])
		if min(a, b) >= x.Similarity*max(a, b) { // else the sizes alone forbid it
			ranks = append(ranks, uint64(hashes-int(x.shared[j]))<<32|uint64(j))
		}
		x.shared[j] = 0
	}
	slices.Sort(ranks)
	x.ranks, found = ranks, found[:0]
	for _, r := range ranks[:min(len(ranks), maxTried)] {
		found = append(found, int(uint32(r)))
	}
	return found
}
