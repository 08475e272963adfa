package token

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"github.com/pkg/errors"
)

// ReadLlama2C reads a tokenizer of llama2.c (tokenizer.bin, tok512.bin) with vocab tokens, as many as the model has. A
// vocab of 0 stands for as many as there are. The format, little-endian, is
//
//	int32 length of the longest token, in bytes; then for each token: float32 score, int32 length, that many bytes
//
// with tokens 0, 1 and 2 for unknown, begin and end. Options.Add puts the begin token in front, and a text that is not
// empty gets a space in front, as run.c does. Source: github.com/karpathy/llama2.c, tokenizer.py and run.c.
func ReadLlama2C(r io.Reader, vocab int) (*SentencePiece, error) {
	b := bufio.NewReader(r)
	longest, err := readInt32(b)
	if err != nil || longest < 1 || longest > maxPiece {
		return nil, errors.Errorf("token: llama2.c: length of the longest token is %d (%v), want 1 to %d", longest, err, maxPiece)
	}
	var tokens []string
	var scores []float32
	buf := make([]byte, longest)
	for vocab == 0 || len(tokens) < vocab {
		score, err := readInt32(b)
		if err == io.EOF && vocab == 0 {
			break
		}
		n := int32(0)
		if err == nil {
			n, err = readInt32(b)
		}
		if err == nil && (n < 1 || n > longest) {
			return nil, errors.Errorf("token: llama2.c: token %d has length %d, want 1 to %d", len(tokens), n, longest)
		}
		if err == nil {
			_, err = io.ReadFull(b, buf[:n])
		}
		if err != nil {
			return nil, errors.Errorf("token: llama2.c: token %d of %d: %v", len(tokens), vocab, unexpected(err))
		}
		tokens, scores = append(tokens, string(buf[:n])), append(scores, math.Float32frombits(uint32(score)))
	}
	if _, err := b.ReadByte(); err != io.EOF {
		return nil, errors.Errorf("token: llama2.c: more data after %d tokens (%v): want the vocabulary of the model", vocab, err)
	}
	if len(tokens) < 3 {
		return nil, errors.Errorf("token: llama2.c: %d tokens, want at least unknown, begin and end", len(tokens))
	}
	// The file has line ends around the names of begin and end, for printing.
	tokens[0], tokens[1], tokens[2] = "<unk>", "<s>", "</s>"
	unknown, begin, end := int32(0), int32(1), int32(2)
	return NewSentencePiece(SentencePieceConfig{
		Tokens: tokens, Plain: true, Scores: scores, Prefix: true, Before: []int32{begin},
		Unknown: &unknown, Begin: &begin, End: &end,
		Specials: []Special{
			{ID: unknown, Text: tokens[0], Special: true}, {ID: begin, Text: tokens[1], Special: true}, {ID: end, Text: tokens[2], Special: true},
		},
	})
}

func readInt32(r io.Reader) (int32, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return int32(binary.LittleEndian.Uint32(b[:])), err
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
