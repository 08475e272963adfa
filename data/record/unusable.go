package record

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Unusable counts records that cannot be used, and keeps what the first few are about.
type Unusable struct {
	Count int
	First []string // "file:line: reason"
}

// mostReasons is the number of records that are named.
const mostReasons = 3

// Add counts record i of r, which cannot be used because of err.
func (u *Unusable) Add(r *Records, i int, err error) {
	if u.Count++; len(u.First) < mostReasons {
		u.First = append(u.First, r.Reason(i, err).Error())
	}
}

// String names the first few, or is "" where there is none.
func (u Unusable) String() string {
	text := strings.Join(u.First, "; ")
	if n := u.Count - len(u.First); n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

// Reason returns err with the place of record i in front, once.
func (r *Records) Reason(i int, err error) error {
	place, text := r.Where(i), err.Error()
	for before := ""; before != text; {
		before = text
		for _, prefix := range []string{"record: ", "finetune: ", place + ": "} {
			text = strings.TrimPrefix(text, prefix)
		}
	}
	return errors.New(place + ": " + text)
}

// Filter drops the records of which usable returns an error, and counts them in u. With strict the first one is an
// error, and so is a file of which all records are dropped.
func (r *Records) Filter(u *Unusable, strict bool, usable func(i int) error) error {
	var own Unusable
	var bad []int
	for i := range r.n {
		err := usable(i)
		if err == nil {
			continue
		}
		if strict {
			return errors.Errorf("record: %v", r.Reason(i, err))
		}
		own.Add(r, i, err)
		bad = append(bad, i)
	}
	if len(bad) == r.n {
		return errors.Errorf("record: %s: none of %d records can be used: %v", r.path, r.n, own)
	}
	r.Drop(bad)
	u.Count += own.Count
	u.First = append(u.First, own.First[:min(len(own.First), mostReasons-len(u.First))]...)
	return nil
}

// Drop leaves out records, whose numbers are ascending. Those behind move up. Nothing else may use r meanwhile.
func (r *Records) Drop(rows []int) {
	if len(rows) == 0 {
		return
	}
	kept := make([]int, 0, r.n-len(rows))
	for i := range r.n {
		if _, drop := slices.BinarySearch(rows, i); drop {
			continue
		}
		k := i
		if r.kept != nil {
			k = r.kept[i]
		}
		kept = append(kept, k)
	}
	r.kept, r.n = kept, len(kept)
}
