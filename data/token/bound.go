package token

import "github.com/pkg/errors"

// Bound makes it an error if a text gives an id of rows or more, for a model whose embedding has that many rows. Call
// it before the tokenizer is used. It fails where the ids of the tokenizer are always all in use.
func Bound(t Tokenizer, rows int) error {
	switch t := t.(type) {
	case *BPE:
		t.rows = rows
	case *SentencePiece:
		t.rows = rows
	default:
		if t.Vocab() > rows {
			return errors.Errorf("token: the tokenizer has %d ids, the model's embedding %d", t.Vocab(), rows)
		}
	}
	return nil
}

// within tells whether ids are below a bound; text names one.
func within(ids []int32, rows int, text func(int32) []byte) error {
	if rows == 0 {
		return nil
	}
	for _, id := range ids {
		if int(id) >= rows {
			return errors.Errorf("token: the text has token %q of id %d, the model's embedding only %d rows", text(id), id, rows)
		}
	}
	return nil
}
