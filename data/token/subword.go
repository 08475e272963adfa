package token

// Subword is the tokenizer of a published model: [BPE] and [SentencePiece] are its kinds.
type Subword interface {
	Tokenizer // Encode(text) is EncodeWith(text, Options{})

	// EncodeWith returns the ids of a text.
	EncodeWith(text []byte, o Options) ([]int32, error)
	// Offsets returns the ids of a text and, for each, the bytes text[span[0]:span[1]] that it stands for. Spans
	// ascend; a token that stands for nothing in the text (one of Options.Add) has an empty one.
	Offsets(text []byte, o Options) (ids []int32, spans [][2]int, err error)
	// ID is the id of a token by its text, special ones too.
	ID(token string) (int32, bool)
	// Piece is the bytes of a token as Decode writes them in the middle of a text; nil outside the vocab. The caller
	// must not write to it.
	Piece(id int32) []byte
	// Specials lists the special and added tokens in ascending order of their ids.
	Specials() []Special
	// Begin is the id of the token that starts a text (bos), where the files name one.
	Begin() (int32, bool)
	// End is the id of the token that ends a text (eos), where the files name one.
	End() (int32, bool)
}

// Splitter finds the pieces of a text within which tokens are merged. It returns the end of the piece that begins at
// text[i:], i < end ≤ len(text), for i < len(text). Bytes that are not UTF-8 are one character each, which is neither
// letter nor number nor space.
type Splitter func(text []byte, i int) int

// Special is a token that stands for a whole string, found before the text is split.
type Special struct {
	ID   int32
	Text string
	// Special tells a control token such as <|endoftext|> from a word that was added to the vocabulary.
	Special bool
	// LStrip and RStrip let the token swallow the white space before and after it.
	LStrip, RStrip bool
	// SingleWord wants no letter, digit or underscore beside it.
	SingleWord bool
	// Normalized tokens are looked for in the text after its normalization, others before.
	Normalized bool
}

// Policy says what a control token that is written in the text stands for. It does not concern added words, which are
// part of the vocabulary.
type Policy int

const (
	Parse  Policy = iota // it counts as the token: the default of Hugging Face
	AsText               // it is text like any other
	Refuse               // it is an error that names it and its offset
)

// Options say how to encode. The zero value parses control tokens and adds none.
type Options struct {
	Policy Policy
	// Add puts the begin and end tokens where the model's files ask for them.
	Add bool
}
