//go:build gpu

package entry

import (
	"reflect"
	"runtime"
	"testing"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu/blas"
	"github.com/ceto-ml/ceto/cuda/emu/driver"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
	"gorgonia.org/cu"
)

// called calls an entry point as C does: neither package cu nor ext makes the calls of this file. A handle of ext is a
// pointer to C; nil is NULL.
func called(f any, args ...any) int {
	fn := reflect.ValueOf(f)
	in := make([]reflect.Value, len(args))
	for i, a := range args {
		t := fn.Type().In(i)
		if s, ok := a.(ext.Stream); ok {
			a = *(*unsafe.Pointer)(unsafe.Pointer(&s))
		}
		p, pointer := a.(unsafe.Pointer)
		switch {
		case a == nil:
			in[i] = reflect.Zero(t)
		case pointer && t.Kind() == reflect.Pointer:
			in[i] = reflect.NewAt(t.Elem(), p)
		default:
			in[i] = reflect.ValueOf(a).Convert(t)
		}
	}
	return int(fn.Call(in)[0].Int())
}

// opened opens the emulated GPU for a test.
func opened(t *testing.T) {
	t.Helper()
	t.Setenv("CETO_EMU", "")
	if err := Install(); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	ctx, err := cu.Device(0).RetainPrimaryCtx()
	if err == nil {
		err = cu.SetCurrentContext(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		runtime.UnlockOSThread()
		if err := Release(); err != nil {
			t.Error(err)
		}
	})
}

// done fails the test where a call does not return what it should.
func done(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: result %d, want %d; refused: %v", what, got, want, Refused())
	}
}

// TestCapturing: a stream tells whether it is captured. Graphs have no flags, and nodes no handles.
func TestCapturing(t *testing.T) {
	opened(t)
	s, err := ext.NewStream()
	if err != nil || link.Symbol("cuStreamIsCapturing") == nil {
		t.Fatalf("error %v, or no cuStreamIsCapturing", err)
	}
	state := func(want int32) {
		t.Helper()
		got := int32(-1)
		done(t, "cuStreamIsCapturing", called(emuStreamIsCapturing, s, unsafe.Pointer(&got)), 0)
		if got != want {
			t.Errorf("state %d, want %d", got, want)
		}
	}
	state(0)
	done(t, "the begin", called(emuStreamBeginCapture, s, 1), 0)
	state(1)
	const invalid = int(driver.InvalidValue)
	var g, x, node unsafe.Pointer
	done(t, "the end", called(emuStreamEndCapture, s, unsafe.Pointer(&g)), 0)
	state(0)
	done(t, "a mode that does not exist", called(emuStreamBeginCapture, s, 3), invalid)
	n := uint64(1)
	done(t, "the nodes themselves", called(emuGraphGetNodes, g, unsafe.Pointer(&node), unsafe.Pointer(&n)), invalid)
	done(t, "flags", called(emuGraphInstantiate, unsafe.Pointer(&x), g, 1), invalid)
	done(t, "no flags", called(emuGraphInstantiate, unsafe.Pointer(&x), g, 0), 0)
}

// TestUsualAlgorithm: cublasLtMatmul without an algorithm takes one that the library chooses.
func TestUsualAlgorithm(t *testing.T) {
	opened(t)
	const invalid = int(blas.InvalidValue)
	var lt, product, layout uint64
	done(t, "cublasLtCreate", called(emuLtCreate, unsafe.Pointer(&lt)), 0)
	done(t, "cublasLtMatmulDescCreate", called(emuLtMatmulDescCreate, unsafe.Pointer(&product), 68, 0), 0)
	done(t, "cublasLtMatrixLayoutCreate", called(emuLtMatrixLayoutCreate, unsafe.Pointer(&layout), 0, 1, 1, 1), 0)
	done(t, "an attribute without a value", called(emuLtMatmulDescSetAttribute, product, 3, nil, 4), invalid)
	a, err := cu.MemAlloc(512)
	if err != nil {
		t.Fatal(err)
	}
	b := uint64(a) + 256
	if err := ext.Set32(uint64(a), 0x40400000, 1, 0); err != nil { // 3
		t.Fatal(err)
	}
	two, none, foreign := float32(2), float32(0), [64]byte{}
	alpha, beta := unsafe.Pointer(&two), unsafe.Pointer(&none)
	run := func(alpha, beta, algorithm any) int {
		return called(emuLtMatmul, lt, product, alpha, uint64(a), layout, uint64(a), layout, beta, b, layout, b, layout,
			algorithm, 0, 0, nil)
	}
	done(t, "no α", run(nil, beta, nil), invalid)
	done(t, "no β", run(alpha, nil, nil), invalid)
	done(t, "a foreign algorithm", run(alpha, beta, unsafe.Pointer(&foreign)), invalid)
	done(t, "no algorithm", run(alpha, beta, nil), 0)
	var y float32
	if err := ext.CopyOut(unsafe.Slice((*byte)(unsafe.Pointer(&y)), 4), b, 0); err != nil || y != 18 {
		t.Errorf("2·3·3 is %g, error %v", y, err)
	}
}

// TestNotInstalled: without the emulated GPU a call that comes late fails.
func TestNotInstalled(t *testing.T) {
	done(t, "cuInit", called(emuInit, 0), int(driver.NotInitialized))
	var lt uint64
	done(t, "cublasLtCreate", called(emuLtCreate, unsafe.Pointer(&lt)), int(blas.NotInitialized))
}
