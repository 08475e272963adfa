package generate

import (
	"encoding/json"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sampleGolden is testdata/sample/golden.json: what transformers makes of the same options.
type sampleGolden struct {
	Processors []struct {
		Options Options
		IDs     []int32
		Prompt  int
		Logits  []float32
		Want    []*float64 // null: −∞
	}
	Table    struct{ M, N, P [][]float32 } // the logits after t ids …, a, b are M[b] + N[a] + P[t]
	Generate []struct {
		Options Options
		Prompt  []int32
		Steps   int // how often the model ran
		Want    []struct {
			IDs   []int32
			Score float64
		}
	}
}

func readSampleGolden(t testing.TB) (gold sampleGolden) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../testdata", "sample", "golden.json"))
	if err == nil {
		err = json.Unmarshal(b, &gold)
	}
	if err != nil {
		t.Fatal(err)
	}
	return gold
}

// logits is the table model.
func (gold *sampleGolden) logits(ids []int32) []float32 {
	x := slices.Clone(gold.Table.M[ids[len(ids)-1]])
	for i, v := range gold.Table.N[ids[len(ids)-2]] {
		x[i] += v
		x[i] += gold.Table.P[len(ids)][i]
	}
	return x
}

// TestProcessors: the scores are those of transformers' processors; with a temperature the probabilities are their
// softmax, and the same tokens are left out.
func TestProcessors(t *testing.T) {
	gold := readSampleGolden(t)
	for n, r := range gold.Processors {
		c := newChooser(r.Options, r.IDs[:r.Prompt], 0)
		for _, id := range r.IDs[r.Prompt:] {
			c.add(id)
		}
		raw := slices.Clone(r.Logits)
		scores := c.penalty.apply(r.Logits, c.ids, c.prompt)
		got := make([]float64, len(scores))
		want := make([]float64, len(scores))
		for i, v := range r.Want {
			got[i], want[i] = float64(scores[i]), math.Inf(-1)
			if v != nil {
				want[i] = *v
			}
		}
		if r.Options.Temperature > 0 {
			want, got = softmax(want), make([]float64, len(scores))
			left := c.candidates(scores, slices.Max(scores))
			for _, x := range left {
				got[x.id] = x.p / total(left)
			}
		}
		for i := range want {
			if (got[i] == 0) != (want[i] == 0) || got[i] != want[i] && !(math.Abs(got[i]-want[i]) <= 1e-6+1e-6*math.Abs(want[i])) {
				t.Errorf("case %d, %+v: token %d has %g, transformers %g", n, r.Options, i, got[i], want[i])
			}
		}
		if !slices.Equal(raw, r.Logits) {
			t.Errorf("case %d: the logits were changed", n)
		}
	}
}

// softmax is the plain formula, in float64.
func softmax(x []float64) []float64 {
	p, sum := make([]float64, len(x)), 0.0
	for i, v := range x {
		p[i] = math.Exp(v - slices.Max(x))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// TestGreedyGolden: greedy ids with penalties are those of transformers' generate.
func TestGreedyGolden(t *testing.T) {
	gold := readSampleGolden(t)
	rows := 0
	for n, r := range gold.Generate {
		if r.Options.Beams > 1 {
			continue
		}
		rows++
		c := newChooser(r.Options, r.Prompt, 0)
		for step := 0; step < r.Options.Tokens; step++ {
			id, _ := c.next(gold.logits(c.ids), step)
			c.add(id)
			if slices.Contains(r.Options.End, id) {
				break
			}
		}
		if got := c.ids[c.prompt:]; !slices.Equal(got, r.Want[0].IDs) {
			t.Errorf("case %d, %+v after %v: %v, transformers %v", n, r.Options, r.Prompt, got, r.Want[0].IDs)
		}
	}
	if rows < 5 {
		t.Errorf("%d greedy rows", rows)
	}
}

// nucleus returns the probabilities (V) that TopK and TopP keep: of the k most likely tokens, as few as have the share
// p.
func nucleus(x []float64, k int, p float64) []float64 {
	sorted := slices.Sorted(slices.Values(x))
	slices.Reverse(sorted)
	kept, sum := 0.0, 0.0
	for _, v := range sorted[:k] {
		sum += v
	}
	limit := sorted[0]
	for _, v := range sorted[:k] {
		if kept >= p*sum {
			break
		}
		kept, limit = kept+v, v
	}
	out := make([]float64, len(x))
	for i, v := range x {
		if v >= limit {
			out[i] = v / kept
		}
	}
	return out
}

// TestDistribution: over many steps and sequences, tokens come as often as their probabilities say (χ²). Neighbours in
// step and in sequence are equal as often as independent draws are.
func TestDistribution(t *testing.T) {
	const vocab, steps, sequences = 40, 2000, 10
	r := rand.New(rand.NewSource(1))
	logits, x := make([]float32, vocab), make([]float64, vocab)
	for i := range logits {
		logits[i] = float32(r.NormFloat64())
		x[i] = float64(logits[i]) / 0.9
	}
	var draws [sequences][steps]int32
	counts := make([]float64, vocab)
	for s := range draws {
		c := newChooser(Options{Tokens: steps, Temperature: 0.9, TopK: 25, TopP: 0.95, Seed: 3}, []int32{1}, s)
		for i := range draws[s] {
			draws[s][i], _ = c.next(logits, i)
			counts[draws[s][i]]++
		}
	}
	const n = float64(steps * sequences)
	chi2, dof, same := 0.0, -1.0, 0.0
	for i, p := range nucleus(softmax(x), 25, 0.95) {
		if p > 0 {
			chi2 += (counts[i] - n*p) * (counts[i] - n*p) / (n * p)
			dof++
			same += p * p
		} else if counts[i] > 0 {
			t.Errorf("token %d is outside the nucleus and was drawn", i)
		}
	}
	if bound := dof + 4*math.Sqrt(2*dof); dof < 10 || dof > 23 || chi2 > bound {
		t.Errorf("χ² of %g with %g degrees of freedom; want at most %g", chi2, dof, bound)
	}
	inStep, inSequence := 0.0, 0.0
	for s := 1; s < sequences; s++ {
		for i := 1; i < steps; i++ {
			if draws[s][i] == draws[s-1][i] {
				inSequence++
			}
			if draws[s][i] == draws[s][i-1] {
				inStep++
			}
		}
	}
	pairs := float64((sequences - 1) * (steps - 1))
	for name, k := range map[string]float64{"steps": inStep, "sequences": inSequence} {
		if math.Abs(k/pairs-same) > 4*math.Sqrt(same*(1-same)/pairs) {
			t.Errorf("neighbours in %s are equal in a share of %g, independent ones in %g", name, k/pairs, same)
		}
	}
}

// TestChooserReplay: a draw depends on seed, sequence and step alone, each of which changes it.
func TestChooserReplay(t *testing.T) {
	logits := make([]float32, 1000)
	ids := func(seed uint64, sequence, from int) (ids []int32) {
		c := newChooser(Options{Temperature: 1, Seed: seed}, nil, sequence)
		for step := from; step < 20; step++ {
			id, logprob := c.next(logits, step)
			if want := -math.Log(1000); math.Abs(float64(logprob)-want) > 1e-6 {
				t.Fatalf("log-probability %g, want %g", logprob, want)
			}
			ids = append(ids, id)
			c.add(id)
		}
		return ids
	}
	want := ids(1, 0, 0)
	if got := ids(1, 0, 7); !slices.Equal(got, want[7:]) {
		t.Errorf("from step 7 on: %v, want %v", got, want[7:])
	}
	for _, other := range [][]int32{ids(2, 0, 0), ids(1, 1, 0)} {
		if same := len(want) - countDifferent(want, other); same > 2 {
			t.Errorf("another seed or sequence draws %v, %d as %v", other, same, want)
		}
	}
}

func countDifferent(a, b []int32) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// TestTake: take returns the first of random candidates with many ties, in order, however many are wanted.
func TestTake(t *testing.T) {
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		c := make([]candidate, 1+r.Intn(40))
		for i := range c {
			c[i] = candidate{id: int32(i), key: float32(r.Intn(8))}
		}
		want := slices.Clone(c)
		slices.SortStableFunc(want, func(x, y candidate) int { return int(y.key - x.key) })
		k := 1 + r.Intn(len(c))
		r.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
		if got := take(c, func(n int, _ candidate) bool { return n == k }); !slices.Equal(got, want[:k]) {
			t.Fatalf("seed %d: the %d best are %v, want %v", seed, k, got, want[:k])
		}
	}
}

// TestTies: equals go to the smaller id. What is banned is never drawn, even where the sum's rounding leaves some of u
// over.
func TestTies(t *testing.T) {
	for _, r := range []struct {
		o    Options
		u    float64
		want int32
	}{
		{Options{}, 0.9, 1},
		{Options{Temperature: 1, TopK: 1}, 0.9, 1},
		{Options{Temperature: 1, TopK: 2}, 0.9, 2},
		{Options{Temperature: 1, TopP: 0.5}, 0.9, 2},
		{Options{Temperature: 1, Typical: 0.5}, 0.9, 2},
		{Options{Temperature: 1, NoRepeat: 1}, 0.9, 0}, // all are banned
	} {
		if got := newChooser(r.o, []int32{0, 1, 2, 3, 4}, 0).draw([]float32{1, 5, 5, 5, 1}, r.u); got != r.want {
			t.Errorf("%+v, u %g: token %d, want %d", r.o, r.u, got, r.want)
		}
	}
	c := newChooser(Options{Temperature: 1, Bias: map[int32]float64{49: -maxBias}}, nil, 0)
	for seed := range int64(1000) {
		r, logits := rand.New(rand.NewSource(seed)), make([]float32, 50)
		for i := range logits {
			logits[i] = float32(r.NormFloat64())
		}
		if id := c.draw(logits, 1-0x1p-53); id != 48 {
			t.Fatalf("seed %d: token %d at the end of the range, want 48", seed, id)
		}
	}
}

// TestLogProb: the log-probability is that of the logits as they are, whatever the options. Huge ones do not overflow.
func TestLogProb(t *testing.T) {
	o := Options{Temperature: 0.3, TopK: 1, Bias: map[int32]float64{2: 100}}
	for _, shift := range []float32{0, 3e4, -3e4} {
		c := newChooser(o, nil, 0)
		id, got := c.next([]float32{1 + shift, 3 + shift, 2 + shift, shift}, 0)
		want := 2 - math.Log(math.Exp(1)+math.Exp(3)+math.Exp(2)+1)
		if id != 2 || math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("shift %g: token %d, ln p = %g; want 2, %g", shift, id, got, want)
		}
	}
}

// TestNoAllocation: after its first token a chooser allocates nothing.
func TestNoAllocation(t *testing.T) {
	logits := make([]float32, 5000)
	for i := range logits {
		logits[i] = float32(i * 7919 % 5000)
	}
	for _, o := range []Options{
		{Tokens: 1000}, {Tokens: 1000, Temperature: 1}, {Tokens: 1000, Temperature: 900, TopK: 40, TopP: 0.9, MinP: 0.01, Typical: 0.9},
		{Tokens: 1000, Repetition: 1.2, Presence: 1, Frequency: 1, NoRepeat: 3, Bias: map[int32]float64{4: 2}},
	} {
		c, step := newChooser(o, []int32{1, 2, 3}, 0), 0
		if n := testing.AllocsPerRun(50, func() {
			id, _ := c.next(logits, step)
			c.add(id)
			step++
		}); n != 0 {
			t.Errorf("%+v: %g allocations per token", o, n)
		}
	}
}

// TestBadHistory: ids outside the vocabulary, logits that are no numbers and bans of every token give some token.
func TestBadHistory(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, o := range []Options{
		{}, {Temperature: 1}, {NoRepeat: 9}, {NoRepeat: 10}, {Temperature: 1, TopK: 2, TopP: 0.5, MinP: 0.5, Typical: 0.5},
		{NoRepeat: 1, Repetition: 2, Presence: 1, Bias: map[int32]float64{-1: 1, 99: 1}}, {NoRepeat: 1, Temperature: 1, Typical: 0.5},
	} {
		for _, logits := range [][]float32{{1, 2, 3}, {nan, nan, nan}, {1, nan, 2}, {inf, inf, -inf}, {-inf, -inf, -inf}} {
			c := newChooser(o, []int32{-5, 99, 0, 1, 2, 0, 1, 2}, 0)
			if id, _ := c.next(logits, 0); id < 0 || id > 2 {
				t.Errorf("%+v, %v: token %d", o, logits, id)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	good := []Options{
		{}, {Tokens: 5, Temperature: 1, TopK: 1, TopP: 1, MinP: 1, Typical: 1, Repetition: 1.3, Presence: -2, Frequency: 2, NoRepeat: 3, Returns: 4},
		{Beams: 4, Returns: 4, LengthPenalty: -1, EarlyStopping: EarlyNever}, {Bias: map[int32]float64{3: -1e9}, Stop: []string{"\n"}},
	}
	for _, o := range good {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	nan := math.NaN()
	for word, o := range map[string]Options{
		"tokens is -1":              {Tokens: -1},
		"temperature is NaN":        {Temperature: nan},
		"temperature is +Inf":       {Temperature: math.Inf(1)},
		"top-k is -1":               {TopK: -1},
		"top-p is 1.5":              {TopP: 1.5},
		"min-p is -0.1":             {MinP: -0.1},
		"typical is NaN":            {Typical: nan},
		"repetition-penalty is -1":  {Repetition: -1},
		"0 or in [0.01, 100]":       {Repetition: 1e-9},
		"presence-penalty is 3":     {Presence: 3},
		"frequency-penalty is -2.5": {Frequency: -2.5},
		"no-repeat is -1":           {NoRepeat: -1},
		"bias of token 7 is NaN":    {Bias: map[int32]float64{7: nan}},
		"beams is 1000":             {Beams: 1000},
		"length-penalty is NaN":     {LengthPenalty: nan},
		"early-stopping is yes":     {EarlyStopping: "yes"},
		"returns is -1":             {Returns: -1},
		"3 returns of 2 beams":      {Returns: 3, Beams: 2},
		"2 returns at temperature":  {Returns: 2},
		"it must be 0, as beam":     {Beams: 2, Temperature: 1},
		"stop text is empty":        {Stop: []string{"a", ""}},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), word) || !strings.HasPrefix(err.Error(), "generate: ") {
			t.Errorf("%+v: %v; want %q", o, err, word)
		}
	}
	for _, o := range []Options{{Bias: map[int32]float64{10: 1}}, {Bias: map[int32]float64{-1: 1}}, {End: []int32{10}}, {End: []int32{-1}}} {
		if err := o.Fits(10); err == nil || o.Fits(11) != nil && o.Fits(11).Error() == err.Error() {
			t.Errorf("%+v fits 10: %v", o, err)
		}
	}
}
