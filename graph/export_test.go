package graph

// For tests in package graph_test, which graphtest imports package graph for.
var (
	AttentionUnfused = (*Graph).attentionUnfused
	Pairs            = Attention.pairs
)

// Sees is the number of pairs of a query and a key that see each other, counted one by one.
func Sees(a Attention, t, s int) (n int64) {
	v := a.sight(t, s, nil)
	for i := range t {
		for j := range s {
			n += int64(btoi(v.sees(0, i, j)))
		}
	}
	return n
}

// SetSerial makes the next op's serial number n+1, and returns the last one.
func SetSerial(n uint64) uint64 { return serials.Swap(n) }
