package pretrained

import (
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ceto-ml/ceto/internal/gguf"
	"github.com/ceto-ml/ceto/internal/safetensors"
	"github.com/pkg/errors"
)

// encodings are the types of values by the names of [ExportOptions]. Those of safetensors and llm.c are the same bytes.
var encodings = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "bf16": gguf.BF16, "q8_0": gguf.Q8_0}

// blocks has the numbers of values and bytes in a block of each type that is written.
var blocks = map[gguf.Type]struct{ values, bytes int }{gguf.F32: {1, 4}, gguf.F16: {1, 2}, gguf.BF16: {1, 2}, gguf.Q8_0: {32, 34}}

// encodedSize returns the number of bytes that n values take; n is a whole number of blocks.
func encodedSize(kind gguf.Type, n int) int { return n / blocks[kind].values * blocks[kind].bytes }

// encodePart is the number of values of a goroutine: whole blocks of any type.
const encodePart = 1 << 16

// encode converts values to a type, in parallel; see [gguf.Encode]. A finite value that is too large for a type of 16
// bits is an error. The bytes of F32 share v's memory.
func encode(kind gguf.Type, v []float32) ([]byte, error) {
	if kind == gguf.F32 {
		return safetensors.Of("", []int{len(v)}, v).Data, nil
	}
	b := make([]byte, encodedSize(kind, len(v)))
	errs := make([]error, (len(v)+encodePart-1)/encodePart)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(errs), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(errs); i = int(next.Add(1)) - 1 {
				x := v[i*encodePart : min(len(v), (i+1)*encodePart)]
				part, err := gguf.Encode(kind, x)
				if err == nil {
					err = overflow(kind, x, part)
				}
				copy(b[encodedSize(kind, i*encodePart):], part)
				errs[i] = err
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// overflow finds a finite value of x that became an infinity in b.
func overflow(kind gguf.Type, x []float32, b []byte) error {
	infinity := map[gguf.Type]uint16{gguf.F16: 0x7c00, gguf.BF16: 0x7f80}[kind]
	if infinity == 0 {
		return nil
	}
	for i, v := range x {
		if binary.LittleEndian.Uint16(b[2*i:])&0x7fff == infinity && !math.IsInf(float64(v), 0) {
			return errors.Errorf("the value %g is too large for %s: want another type", v, strings.ToLower(kind.String()))
		}
	}
	return nil
}
