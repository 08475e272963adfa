//go:build gpu

package entry

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/ceto-ml/ceto/cuda/emu/driver"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"github.com/ceto-ml/ceto/cuda/internal/link"
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
	t.Cleanup(func() {
		if err := Release(); err != nil {
			t.Error(err)
		}
	})
}

// done fails the test where a call does not return what it should.
func done(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: result %d, want %d", what, got, want)
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

// TestNotInstalled: without the emulated GPU a call that comes late fails.
func TestNotInstalled(t *testing.T) {
	done(t, "cuInit", called(emuInit, 0), int(driver.NotInitialized))
}
