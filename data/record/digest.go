package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/pkg/errors"
)

// Digest is the SHA-256 of the names of the columns and of some records, as they are in the file and in the order
// given. It tells whether they are still the same.
func (r *Records) Digest(rows []int) (string, error) {
	h := sha256.New()
	put := func(b []byte) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, c := range r.columns {
		put([]byte(c))
	}
	for _, i := range rows {
		f, k := r.at(i)
		s := scanners.Get().(*scanner)
		s.reset(f, f.starts.at(k))
		err := s.next()
		put(s.rec)
		s.release()
		if err != nil {
			return "", errors.Wrapf(err, "record: %s: the file has changed since it was opened", f.path)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
