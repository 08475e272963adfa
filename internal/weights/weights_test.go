package weights

import (
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/internal/safetensors"
)

// TestValue goes through each dtype of a file and each of a value: floats become floats, ids stay ids.
func TestValue(t *testing.T) {
	in := []float64{1, -2, 3}
	for from := graph.Float32; from <= graph.Int32; from++ {
		x := graph.NewBuf(graph.Of(from, 3))
		x.Convert(graph.BufOf(in, 3))
		f := Of("w", x)
		for to := graph.Float32; to <= graph.Int32; to++ {
			b, err := Value(f, graph.Of(to, 3))
			if from.IsFloat() != to.IsFloat() {
				if err == nil || !strings.Contains(err.Error(), "w has dtype "+string(f.DType)+", the model wants "+to.String()) {
					t.Errorf("%v as %v: %v, want a refusal", from, to, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%v as %v: %v", from, to, err)
			}
			for i, v := range in {
				if b.At(i) != v {
					t.Errorf("%v as %v: element %d is %g, want %g", from, to, i, b.At(i), v)
				}
			}
			if &b.Mem[0] == &x.Mem[0] {
				t.Errorf("%v as %v: the value is the file's memory, want a copy", from, to)
			}
		}
	}
}

func TestValueRefuses(t *testing.T) {
	w := Of("w", graph.BufOf([]float32{1, 2}, 2))
	half := safetensors.Of("h", []int{2}, []uint16{1, 2})
	short := w
	short.Data = short.Data[:4]
	for _, c := range []struct {
		t    safetensors.Tensor
		want string
	}{
		{safetensors.Of("w", []int{1}, []float32{1}), "w is [1], the model wants [2]"},
		{half, "h has dtype BF16, the model wants float32"},
		{short, "w has 4 bytes"},
	} {
		if _, err := Value(c.t, graph.Of(graph.Float32, 2)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want an error with %q", c.t.Name, err, c.want)
		}
	}
}
