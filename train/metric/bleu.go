package metric

import (
	"math"
	"regexp"
	"strings"
)

// These measures are the corpus BLEU of sacreBLEU 2, from 0 to 100: case counts, exponential smoothing, no effective
// order.
//
//	BLEU = BP·exp(¼·Σ_{n≤4} ln pₙ),  pₙ = 100·matches/n-grams,  BP = min(1, exp(1 − |ref|/|hyp|))
//
// The k-th order without a match has p = 100/(2ᵏ·n-grams). BLEU is 0 where nothing matches or no segment has four
// tokens. |ref| sums, over segments, the length of the reference that is nearest in length to the text. If two are as
// near, the shorter one counts. Sources: Papineni et al. 2002, doi:10.3115/1073083.1073135; Post, arXiv:1804.08771.
var (
	// BLEU splits words by the rules of mteval-v13a, sacreBLEU's default.
	BLEU = Text{"bleu", func(hyp string, refs []string) []float64 { return bleuSegment(tokens13a, hyp, refs) }, bleuValue}
	// BLEUChinese takes each Chinese character as a word (sacreBLEU's zh). Signature: tok:zh.
	BLEUChinese = Text{"bleu_zh", func(hyp string, refs []string) []float64 { return bleuSegment(tokensZh, hyp, refs) }, bleuValue}
)

const bleuOrder = 4

// bleuSegment returns the lengths of the text and of its nearest reference, then matches and n-grams of each order.
func bleuSegment(tokenize func(string) []string, hyp string, refs []string) []float64 {
	words := tokenize(hyp)
	tokens := make([][]string, len(refs))
	nearest := -1
	for i, ref := range refs {
		tokens[i] = tokenize(ref)
		n := len(tokens[i])
		gap, least := abs(n-len(words)), abs(nearest-len(words))
		if nearest < 0 || gap < least || gap == least && n < nearest {
			nearest = n
		}
	}
	stats := make([]float64, 2+2*bleuOrder)
	stats[0], stats[1] = float64(len(words)), float64(nearest)
	for n := 1; n <= bleuOrder; n++ {
		most := map[string]int{} // the largest count of each n-gram in a reference
		for _, t := range tokens {
			for k, v := range ngrams(t, n) {
				most[k] = max(most[k], v)
			}
		}
		stats[1+n] = float64(matches(ngrams(words, n), most))
		stats[1+bleuOrder+n] = float64(max(0, len(words)-n+1))
	}
	return stats
}

func abs(n int) int { return max(n, -n) }

func bleuValue(sum []float64, _ int) float64 {
	hyp, ref, match, grams := sum[0], sum[1], sum[2:2+bleuOrder], sum[2+bleuOrder:]
	if match[0] == 0 || grams[bleuOrder-1] == 0 {
		return 0
	}
	var logs float64
	smooth := 1.0
	for n, m := range match {
		if m == 0 {
			smooth *= 2
			m = 1 / smooth
		}
		logs += math.Log(100 * m / grams[n])
	}
	return math.Exp(min(0, 1-ref/hyp) + logs/bleuOrder)
}

// bleuRules split words. They apply in this order.
var bleuRules = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile("[{-~[-` -&(-+:-@/]"), " $0 "}, // ASCII punctuation but ' , - .
	{regexp.MustCompile(`([^0-9])([.,])`), "$1 $2 "},   // unless a digit comes before
	{regexp.MustCompile(`([.,])([^0-9])`), " $1 $2"},   // unless a digit comes after
	{regexp.MustCompile(`([0-9])(-)`), "$1 $2 "},       // a dash after a digit
}

func splitWords(s string) []string {
	for _, r := range bleuRules {
		s = r.find.ReplaceAllString(s, r.with)
	}
	return fields(s)
}

// tokens13a splits as mteval-v13a.pl of NIST does.
func tokens13a(s string) []string {
	s = strings.TrimRightFunc(s, isSpace)
	// In this order: "&amp;lt;" becomes "<".
	for _, r := range [][2]string{{"<skipped>", ""}, {"-\n", ""}, {"\n", " "}, {"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return splitWords(" " + s + " ")
}

// tokensZh sets each Chinese character apart. It splits the rest as tokens13a does, but decodes no entities.
func tokensZh(s string) []string {
	var b strings.Builder
	for _, r := range strings.TrimFunc(s, isSpace) {
		if isChinese(r) {
			b.WriteString(" " + string(r) + " ")
		} else {
			b.WriteRune(r)
		}
	}
	return splitWords(b.String())
}

// isChinese tells the characters that sacreBLEU's zh sets apart. By a mistake there, its range for Extension B acts as
// the first range below. So quotes, dashes and ellipses are set apart, and the characters of Extension B are not.
func isChinese(r rune) bool {
	for _, c := range [...][2]rune{
		{0x2001, 0x2a6d}, {0x2e80, 0x2fdf}, {0x2ff0, 0x303f}, {0x3100, 0x312f}, {0x31a0, 0x31bf}, {0x31c0, 0x31ef}, {0x3200, 0x4db5},
		{0x4e00, 0x9fbb}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfa70, 0xfad9}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe4f},
		{0xff00, 0xffef},
	} {
		if c[0] <= r && r <= c[1] {
			return true
		}
	}
	return false
}
