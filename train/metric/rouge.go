package metric

import "strings"

// ROUGE measures what a text shares with its reference by an F-measure, from 0 to 1, and takes the mean over segments:
//
//	F = 2·P·R / (P + R),  P = shared/len(text),  R = shared/len(reference)
//
// If a segment has several references, the best F counts. Words are runs of a–z and 0–9 after lower-casing, not
// stemmed. So a text in another script has no words, and a text without words has an F of 0.
//
// Source: Lin 2004, https://aclanthology.org/W04-1013. The values equal those of rouge_score 0.1.2; ROUGEL is its
// rougeL, not its rougeLsum.
var (
	// ROUGE1 counts shared words.
	ROUGE1 = rouge("rouge1", words, func(a, b []string) (int, int, int) { return sharedGrams(a, b, 1) })
	// ROUGE2 counts shared pairs of words.
	ROUGE2 = rouge("rouge2", words, func(a, b []string) (int, int, int) { return sharedGrams(a, b, 2) })
	// ROUGEL takes the longest common subsequence of words.
	ROUGEL = rouge("rougeL", words, sharedSequence)
	// ROUGELChars is ROUGEL with each character that is not white space as a word, for languages that set none between
	// words, such as Chinese.
	ROUGELChars = rouge("rougeL_chars", chars, sharedSequence)
)

// rouge makes a measure from a function that tells how much two texts share and how long each is, in the same unit.
func rouge(name string, split func(string) []string, share func(hyp, ref []string) (shared, hypLen, refLen int)) Text {
	return Text{name, func(hyp string, refs []string) []float64 {
		best, h := 0.0, split(hyp)
		for _, ref := range refs {
			shared, hypLen, refLen := share(h, split(ref))
			best = max(best, ratio(2*shared, hypLen+refLen)) // the F above
		}
		return []float64{best}
	}, meanSegment}
}

func sharedGrams(hyp, ref []string, n int) (shared, hypLen, refLen int) {
	return matches(ngrams(hyp, n), ngrams(ref, n)), max(0, len(hyp)-n+1), max(0, len(ref)-n+1)
}

func sharedSequence(hyp, ref []string) (shared, hypLen, refLen int) {
	return commonSubsequence(hyp, ref), len(hyp), len(ref)
}

// commonSubsequence is the length of the longest sequence of words that both texts have in order, perhaps with others
// between. It keeps one row of the table at a time.
func commonSubsequence(a, b []string) int {
	row := make([]int, len(b)+1) // row[j] is the length for the words of a so far and the first j of b
	for _, w := range a {
		diagonal := 0 // row[j] before this word
		for j, v := range b {
			above := row[j+1]
			if v == w {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// words are the runs of a–z and 0–9.
func words(s string) []string {
	return strings.FieldsFunc(lower(s), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') })
}

func chars(s string) []string { return strings.Split(strings.Join(fields(lower(s)), ""), "") }
