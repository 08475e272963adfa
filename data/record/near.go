package record

import (
	"crypto/sha256"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/pkg/errors"
)

// FoldText returns s in lower case (Unicode), with one space for each run of white space and none at either end. It is
// what two texts that say the same have in common.
func FoldText(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

// Near finds records whose texts are alike.
//
//	similarity = |A∩B| / |A∪B|    A, B the sets of runs of 5 characters of the two folded texts (Jaccard)
//
// Texts that are equal when folded have similarity 1. Others are found by MinHash and locality-sensitive hashing, and
// each pair is verified by its exact similarity. So no pair is false. Less than 1 in 1000 of the pairs exactly at the
// threshold is missed, fewer of closer ones. Sources: Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive
// Datasets, section 3.4.
//
// A record is compared with at most 64 others. In families of thousands of texts that are all just below the threshold,
// more may be missed. Memory is about 600 bytes a record at 0.9, 2 kB at 0.5, 60 bytes at 1. The texts are read again
// where they are compared.
type Near struct {
	Text       Texts
	Similarity float64 // from 0.5 to 1; 0 is 0.9; 1 finds the texts that are equal when folded, and needs no hashes
}

// Pair is two records that are alike.
type Pair struct {
	A, B       int
	Similarity float64
}

// Within returns a pair for each of rows that is like an earlier one: B may be dropped, A stays. So records are
// compared with those that stay, and not with those already dropped.
func (n Near) Within(rows []int) ([]Pair, error) {
	x, err := n.open(rows)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for i, row := range rows {
		p, ok, err := x.like(i)
		if err != nil {
			return nil, err
		}
		if ok {
			pairs = append(pairs, Pair{A: p.A, B: row, Similarity: p.Similarity})
			continue
		}
		x.insert(i)
	}
	return pairs, nil
}

// Leaks returns a pair for each row of b that is like one of a. What a model has learned from a, it need not prove on
// b.
func (n Near) Leaks(a, b []int) ([]Pair, error) {
	x, err := n.open(append(slices.Clip(a), b...))
	if err != nil {
		return nil, err
	}
	for i := range a {
		x.insert(i)
	}
	var pairs []Pair
	for i, row := range b {
		p, ok, err := x.like(len(a) + i)
		if err != nil {
			return nil, err
		}
		if ok {
			pairs = append(pairs, Pair{A: p.A, B: row, Similarity: p.Similarity})
		}
	}
	return pairs, nil
}

// Without returns rows but for the B of pairs, in their order.
func Without(rows []int, pairs []Pair) []int {
	drop := make(map[int]bool, len(pairs))
	for _, p := range pairs {
		drop[p.B] = true
	}
	return slices.DeleteFunc(slices.Clone(rows), func(i int) bool { return drop[i] })
}

// digest is the first half of a text's SHA-256: only equal texts have equal ones.
type digest [16]byte

// index is what is known of rows: the digest of each text, and with near pairs its signature.
type index struct {
	Near
	rows    []int
	digests []digest
	bands   int
	keys    []uint32         // bands of each row
	shingle []int32          // number of different ones of each row
	equal   map[digest]int32 // the first row that was inserted with a text
	heads   map[uint64]int32 // the last entry of keys that was inserted with a band and key
	links   []int32          // the one before it, −1 if none
	shared  []uint8          // scratch of others: the bands that each row shares, at most 128
	ranks   []uint64         // and the rows by them
	mine    signer           // scratch of like
	theirs  signer
}

// open reads the texts of rows and computes what is known of them, on all processors.
func (n Near) open(rows []int) (*index, error) {
	if n.Similarity == 0 {
		n.Similarity = 0.9
	}
	if !(n.Similarity >= 0.5 && n.Similarity <= 1) || n.Text == nil {
		return nil, errors.Errorf("record: Near: similarity %g, Text nil: %t; want a similarity from 0.5 to 1, and texts", n.Similarity, n.Text == nil)
	}
	x := &index{Near: n, rows: rows, digests: make([]digest, len(rows)), equal: map[digest]int32{}}
	per := 0
	if n.Similarity < 1 {
		per, x.bands = bandsFor(n.Similarity)
		if len(rows) > math.MaxInt32/x.bands {
			return nil, errors.Errorf("record: %d rows, at most %d can be compared at once", len(rows), math.MaxInt32/x.bands)
		}
		x.keys, x.shingle = make([]uint32, len(rows)*x.bands), make([]int32, len(rows))
		x.shared = make([]uint8, len(rows))
		x.links, x.heads = make([]int32, len(x.keys)), map[uint64]int32{}
	}
	const chunk = 256
	var group sync.WaitGroup
	failed := make([]error, runtime.GOMAXPROCS(0))
	next := make(chan int, len(rows)/chunk+1)
	for i := 0; i < len(rows); i += chunk {
		next <- i
	}
	close(next)
	for w := range failed {
		group.Go(func() {
			sign := signer{per: per}
			for from := range next {
				for i := from; i < min(from+chunk, len(rows)) && failed[w] == nil; i++ {
					failed[w] = x.read(i, &sign)
				}
			}
		})
	}
	group.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return x, nil
}

// read computes what is known of row i.
func (x *index) read(i int, sign *signer) error {
	text, err := x.Text(x.rows[i])
	if err != nil {
		return err
	}
	text = FoldText(text)
	sum := sha256.Sum256([]byte(text))
	x.digests[i] = digest(sum[:])
	if x.bands > 0 {
		set := sign.shingles(text)
		x.shingle[i] = int32(len(set))
		sign.keys(x.keys[i*x.bands:(i+1)*x.bands], set)
	}
	return nil
}

// insert makes row i one that others may be like.
func (x *index) insert(i int) {
	if _, ok := x.equal[x.digests[i]]; ok {
		return
	}
	x.equal[x.digests[i]] = int32(i)
	for e := i * x.bands; e < (i+1)*x.bands; e++ {
		k := x.key(e)
		x.links[e] = -1
		if h, ok := x.heads[k]; ok {
			x.links[e] = h
		}
		x.heads[k] = int32(e)
	}
}

// key is what entry e of keys is found by: its band and its key.
func (x *index) key(e int) uint64 { return uint64(e%x.bands)<<32 | uint64(x.keys[e]) }
