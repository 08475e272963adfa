package nn_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
)

// initRow is an initialiser with what its numbers must be: mean, standard deviation, bounds (0: none), and a digest. It
// is the SHA-256 of their float64 bits for seed 42 and name "w", which is the same on every machine.
type initRow struct {
	name           string
	init           nn.Init
	shape          graph.Shape
	mean, std, max float64
	hash           string
}

// truncatedStd is the standard deviation of N(0, 1) cut at ±2: √(1 − 4·φ(2)/(2·Φ(2) − 1)).
const truncatedStd = 0.8796256610342398

var initRows = []initRow{
	{"zeros", nn.Zeros, graph.Shape{7, 3}, 0, 0, 0, "e3c2af35d1dfc500e16f826a071cc311bf55003a3de77de7ea3376c6b6fa2857"},
	{"ones", nn.Ones, graph.Shape{7, 3}, 1, 0, 1, "5493ebe614439118bbb8c5c03747c72e3c5dd4a398ed9794eca9d35684c7eb3d"},
	{"constant", nn.Constant(-2.5), graph.Shape{7, 3}, -2.5, 0, 2.5, "362ff95275b7dacc1f9d169ac7d268b04781e2f111fa03859a8d48aa8a82d22a"},
	{"uniform", nn.Uniform(-1, 3), graph.Shape{200, 300}, 1, 4 / math.Sqrt(12), 3, "088b6aca5f1455ec8230d4b3263eb3403b0219a13f523f987a6073a02566ac6e"},
	{"normal", nn.Normal(0.5, 2), graph.Shape{200, 300}, 0.5, 2, 0, "f06ac04953019391dd0d318b38d61078b631eee879c801acc38604698760ee86"},
	{"truncated_normal", nn.TruncatedNormal(0, 0.5), graph.Shape{200, 300}, 0, 0.5 * truncatedStd, 1, "088e3f34bbf1fc5814dfceec8afe5991bfbab67552d7bb9613b519d56d30b127"},
	{"glorot_uniform", nn.GlorotUniform, graph.Shape{200, 300}, 0, math.Sqrt(2. / 500), math.Sqrt(6. / 500), "a6175b07fe6f505a9bf76c93e21871417ff9fe36a03d3a68cea3bc7457c5f429"},
	{"glorot_normal", nn.GlorotNormal, graph.Shape{200, 300}, 0, math.Sqrt(2. / 500), 0, "f45b3e45a97b113501c98c1906f041527612896f5adf710d6b08deae6f889212"},
	{"he_uniform", nn.HeUniform, graph.Shape{200, 300}, 0, math.Sqrt(2. / 200), math.Sqrt(6. / 200), "bfd7272f8412a1f2c23ab6404732b554f946c7065139d2f43aa1bf1c46567365"},
	{"he_normal", nn.HeNormal, graph.Shape{200, 300}, 0, math.Sqrt(2. / 200), 0, "e4a90426135423f7db6c6c1452e3bdc7b6da46f537c6c82de56336f33b556be9"},
	{"he_normal_kernel", nn.HeNormal, graph.Shape{64, 16, 5, 5}, 0, math.Sqrt(2. / 400), 0, "dc50d4d5ccf7b74456444be7f1bee253f7d7f2caa42c5379a4553effc3e0169b"},
	{"glorot_normal_kernel", nn.GlorotNormal, graph.Shape{64, 16, 5, 5}, 0, math.Sqrt(2. / 2000), 0, "a023fc48aec0b8bd4e77d5bacba3dbdddfb0c0a743787d5f0b9550adc4b932c0"},
	{"lecun_normal", nn.LeCunNormal, graph.Shape{200, 300}, 0, math.Sqrt(1. / 200), 0, "7a2b8b0fc4f8fa1238c554467aa6f7ad6f0239dc22f94e79314196c5627a7fb7"},
	{"lecun_uniform", nn.LeCunUniform, graph.Shape{200, 300}, 0, math.Sqrt(1. / 200), math.Sqrt(3. / 200), "b3cd746e6880f41ab2e3ccaecb84ee5a5eb61497690162c420531ed312feb2ba"},
	{"gpt2_residual", nn.GPT2Residual(12), graph.Shape{200, 300}, 0, 0.02 / math.Sqrt(24), 0, "42c2e3c626366e2516821495a52a490b78b628ea9ebf231596e498d801caa88d"},
	{"orthogonal", nn.Orthogonal(1.5), graph.Shape{40, 60}, 0, 1.5 / math.Sqrt(60), 0, "748e754a841801380eebf19f6769b18f5e830d23d80220c35e1e49af7de06999"},
}

func draw(t *testing.T, r initRow) []float64 {
	t.Helper()
	p := nn.Param{Name: "w", Meta: graph.Meta{DType: graph.Float64, Shape: r.shape}, Init: r.init}
	b, err := p.Value(42)
	if err != nil {
		t.Fatal(err)
	}
	return graph.Data[float64](b)
}

func TestInitMoments(t *testing.T) {
	for _, r := range initRows {
		w := draw(t, r)
		sum, sq, most := 0.0, 0.0, 0.0
		for _, v := range w {
			sum += v
			most = math.Max(most, math.Abs(v))
		}
		mean := sum / float64(len(w))
		for _, v := range w {
			sq += (v - mean) * (v - mean)
		}
		std := math.Sqrt(sq / float64(len(w)))
		if math.Abs(mean-r.mean) > 5*r.std/math.Sqrt(float64(len(w))) {
			t.Errorf("%s: mean %g, want %g", r.name, mean, r.mean)
		}
		if math.Abs(std-r.std) > 0.02*r.std {
			t.Errorf("%s: standard deviation %g, want %g", r.name, std, r.std)
		}
		if r.max > 0 && (most > r.max || most < 0.99*r.max) {
			t.Errorf("%s: the largest is %g, want up to %g", r.name, most, r.max)
		}
	}
}

func TestInitBits(t *testing.T) {
	for _, r := range initRows {
		h := sha256.New()
		if err := binary.Write(h, binary.LittleEndian, draw(t, r)); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != r.hash {
			t.Errorf("%s seed 42: the numbers have the hash %s, want %s", r.name, got, r.hash)
		}
	}
}

// TestInitShape: every element of a matrix kept as (out, in) is the one of the matrix kept as (in, out).
func TestInitOutIn(t *testing.T) {
	value := func(l nn.Linear) graph.Buf {
		params := nn.NewParams(graph.Float64)
		s := nn.NewScope(graph.New(), params, nn.Train)
		l.Forward(s, s.Input("x", graph.Of(graph.Float64, 2, 5)))
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		b, err := params.Get("weight").Value(3)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := value(nn.Linear{Out: 3, Init: nn.HeNormal}), value(nn.Linear{Out: 3, Init: nn.HeNormal, OutIn: true})
	if !b.Shape.Equal(graph.Shape{3, 5}) {
		t.Fatalf("shape %v", b.Shape)
	}
	for i := range 5 {
		for j := range 3 {
			if x, y := graph.Data[float64](a)[i*3+j], graph.Data[float64](b)[j*5+i]; x != y {
				t.Errorf("in %d, out %d: %g and %g", i, j, x, y)
			}
		}
	}
}

// TestOrthogonal: rows, or columns if there are fewer, times gain have the products of a unit matrix.
func TestOrthogonal(t *testing.T) {
	for _, s := range []graph.Shape{{40, 60}, {60, 40}, {50, 50}, {8, 3, 5}, {1, 4}, {4, 1}} {
		w := draw(t, initRow{init: nn.Orthogonal(1.5), shape: s})
		rows, cols := s[0], s[1:].Size()
		at := func(i, k int) float64 { return w[i*cols+k] }
		n, m := rows, cols
		if rows > cols {
			n, m = cols, rows
			at = func(i, k int) float64 { return w[k*cols+i] }
		}
		for i := range n {
			for j := range n {
				sum, want := 0.0, 0.0
				for k := range m {
					sum += at(i, k) * at(j, k) / (1.5 * 1.5)
				}
				if i == j {
					want = 1
				}
				if math.Abs(sum-want) > 1e-14 {
					t.Errorf("%v: product of %d and %d is %g, want %g", s, i, j, sum, want)
				}
			}
		}
	}
	p := nn.Param{Name: "w", Meta: graph.Of(graph.Float32, 4), Init: nn.Orthogonal(1)}
	if _, err := p.Value(1); err == nil {
		t.Error("a vector: no error")
	}
}

// TestInitIndependent: a first value follows from seed, name, shape and init, not from what is declared before it; and
// from each of these four.
func TestInitIndependent(t *testing.T) {
	value := func(seed uint64, name string, before ...string) float64 {
		params := nn.NewParams(graph.Float64)
		s := nn.NewScope(graph.New(), params, nn.Train)
		for _, n := range append(before, name) {
			s.Param(n, nn.Normal(0, 1), 3, 4)
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		b, err := params.Get(name).Value(seed)
		if err != nil {
			t.Fatal(err)
		}
		return graph.Data[float64](b)[5]
	}
	want := value(1, "b")
	if got := value(1, "b", "a", "c"); got != want {
		t.Errorf("declared after others: %g, alone %g", got, want)
	}
	for _, other := range []float64{value(2, "b"), value(1, "a")} {
		if other == want {
			t.Errorf("another seed or name gives the same number %g", want)
		}
	}
	f := nn.Param{Name: "b", Meta: graph.Of(graph.Float32, 3, 4), Init: nn.Normal(0, 1)}
	b, err := f.Value(1)
	if err != nil || graph.Data[float32](b)[5] != float32(want) {
		t.Errorf("float32: %g, %v; want %g rounded", graph.Data[float32](b)[5], err, want)
	}
}
