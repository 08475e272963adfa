package safetensors_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// TestStream compares Stream with Write, and checks the errors for data that fails or does not fit.
func TestStream(t *testing.T) {
	whole := []safetensors.Tensor{
		safetensors.Of("b", []int{2, 2}, []float32{1, 2, 3, 4}), safetensors.Of("a", []int{3}, []float64{5, 6, 7}), safetensors.Of("empty", []int{0}, []float32{}),
	}
	data := map[string][]byte{}
	bare := slices.Clone(whole)
	for i, x := range whole {
		data[x.Name], bare[i].Data = x.Data, nil
	}
	meta := map[string]string{"format": "pt"}
	var want, got bytes.Buffer
	if err := safetensors.Write(&want, whole, meta); err != nil {
		t.Fatal(err)
	}
	var order []string
	err := safetensors.Stream(&got, bare, meta, func(x safetensors.Tensor) ([]byte, error) {
		order = append(order, x.Name)
		return data[x.Name], nil
	})
	if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) || !slices.Equal(order, []string{"a", "b", "empty"}) {
		t.Errorf("%d bytes, want the %d of Write; order %v, error %v", got.Len(), want.Len(), order, err)
	}
	for _, c := range []struct {
		data []byte
		err  error
		want string
	}{
		{data: make([]byte, 23), want: `"a": 23 bytes of data, want 24 for F64[3]`},
		{data: make([]byte, 25), want: "25 bytes of data, want 24"},
		{err: errors.New("no data"), want: "no data"},
	} {
		err := safetensors.Stream(&got, bare, nil, func(safetensors.Tensor) ([]byte, error) { return c.data, c.err })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
