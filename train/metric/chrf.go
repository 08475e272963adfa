package metric

// ChrF is sacreBLEU's chrF2 of a corpus, from 0 to 100. It counts character n-grams up to order 6, without white space,
// and no word n-grams. Precision P and recall R are means over the orders that both sides have; β = 2 weighs recall
// twice:
//
//	chrF = 100·(1 + β²)·P·R / (β²·P + R)
//
// If a segment has several references, the one with its best score counts. ChrF is 0 where nothing matches.
// Source: Popović 2015, doi:10.18653/v1/W15-3049; sacreBLEU 2, nc:6 nw:0 space:no eff:yes.
var ChrF = Text{"chrf", chrFSegment, chrFValue}

const chrFOrder = 6

// chrFSegment returns three numbers for each order: n-grams of the text, n-grams of the best reference, and matches.
func chrFSegment(hyp string, refs []string) []float64 {
	var best []float64
	h := charGrams(hyp)
	for _, ref := range refs {
		var stats []float64
		for n, r := range charGrams(ref) {
			inHyp, inRef := count(h[n]), count(r)
			if inRef == 0 {
				inHyp = 0
			}
			stats = append(stats, float64(inHyp), float64(inRef), float64(matches(h[n], r)))
		}
		if best == nil || chrFValue(stats, 1) > chrFValue(best, 1) {
			best = stats
		}
	}
	return best
}

func chrFValue(sum []float64, _ int) float64 {
	var prec, rec, orders float64
	for ; len(sum) > 0; sum = sum[3:] {
		if hyp, ref, match := sum[0], sum[1], sum[2]; hyp > 0 && ref > 0 {
			prec, rec, orders = prec+match/hyp, rec+match/ref, orders+1
		}
	}
	if prec+rec == 0 {
		return 0
	}
	prec, rec = prec/orders, rec/orders
	const beta2 = 2 * 2
	return 100 * (1 + beta2) * prec * rec / (beta2*prec + rec)
}

// charGrams counts the n-grams of a text's characters, n from 1 to 6.
func charGrams(s string) [chrFOrder]map[string]int {
	var runes []rune
	for _, word := range fields(s) {
		runes = append(runes, []rune(word)...)
	}
	var grams [chrFOrder]map[string]int
	for n := range grams {
		grams[n] = map[string]int{}
		for i := 0; i+n < len(runes); i++ {
			grams[n][string(runes[i:i+n+1])]++
		}
	}
	return grams
}

func count(grams map[string]int) int {
	sum := 0
	for _, n := range grams {
		sum += n
	}
	return sum
}
