//go:build gpu

package ext

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/pkg/errors"
)

// openFake opens the library of testdata/fakelt.c, which works on memory of the host.
func openFake(t *testing.T) *Lt {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc, which compiles the library of this test")
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "libcublasLt.so.12")
	if out, err := exec.Command(gcc, "-shared", "-fPIC", "-o", lib, "testdata/fakelt.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("CETO_CUDA_PATH", dir)
	OverrideLt(nil) // search anew
	path, tried, err := LoadLt()
	if err != nil || path != lib || !strings.HasSuffix(tried[len(tried)-1], "libcublasLt.so.12: found") || LtVersion() != 130000 {
		t.Fatalf("found %q, version %d, error %v; tried %q", path, LtVersion(), err, tried)
	}
	b, err := OpenLt()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		OverrideLt(nil)
	})
	return b
}

// kept holds numbers on the heap, where they do not move.
var kept [][]float32

// host is the address of numbers in this process.
func host(x []float32) uint64 {
	kept = append(kept, x)
	return uint64(uintptr(unsafe.Pointer(&x[0])))
}

// TestProduct: layouts, transposes, batches, bias and alignment reach the library as it wants them.
func TestProduct(t *testing.T) {
	lt := openFake(t)
	a := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} // 2 of (3, 2) by columns
	b := []float32{1, 0, 2, 0, 1, 0, 3, 1, 1, 2, 2, 2}    // 2 of (3, 2)
	bias, d := []float32{100, 200}, make([]float32, 8)
	p := Product{TransA: true, Compute: Sum32, Epilogue: WithBias, Align: [4]int{16, 16, 16, 16}, Workspace: 1 << 20,
		A: Layout{Rows: 3, Cols: 2, LD: 3, Batch: 2, Stride: 6}, B: Layout{Rows: 3, Cols: 2, LD: 3, Batch: 2, Stride: 6}}
	p.C = Layout{Rows: 2, Cols: 2, LD: 2, Batch: 2, Stride: 4}
	p.D = p.C
	x, err := lt.Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	ways, err := x.Algorithms(3)
	if err != nil || len(ways) != 1 || ways[0].Workspace != 1<<19 || ways[0].Waves != 0.5 {
		t.Fatalf("algorithms %+v, error %v", ways, err)
	}
	err = x.Run(ways[0], Operands{A: host(a), B: host(b), C: host(d), D: host(d), Vector: host(bias), Alpha: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{2*7 + 100, 2*16 + 200, 2*2 + 100, 2*5 + 200, 2*38 + 100, 2*53 + 200, 2*48 + 100, 2*66 + 200}
	if !slices.Equal(d, want) {
		t.Errorf("%g, want %g", d, want)
	}
	if err := x.Run(Algorithm{}, Operands{A: host(a), B: host(b), C: host(d), D: host(d), Vector: host(bias), Alpha: 2}, 0); !errors.Is(err, Status(13)) {
		t.Errorf("an algorithm of nobody: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// TestProductRefused: an epilogue that the library lacks has no algorithms, and a wrong layout is an error.
func TestProductRefused(t *testing.T) {
	lt := openFake(t)
	m := Layout{Rows: 8, Cols: 8, LD: 8}
	x, err := lt.Prepare(Product{A: m, B: m, C: m, D: m, Compute: Sum32, Epilogue: GELUAux, AuxLD: 8})
	if err != nil {
		t.Fatal(err)
	}
	if ways, err := x.Algorithms(1); len(ways) != 0 || err != nil {
		t.Errorf("%d algorithms, error %v", len(ways), err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	m.LD = 4
	_, err = lt.Prepare(Product{A: m, B: m, C: m, D: m, Compute: Sum32, Epilogue: None})
	if !errors.Is(err, Status(7)) || !strings.Contains(err.Error(), "cublasLtMatrixLayout of A: CUBLAS_STATUS_INVALID_VALUE (7)") {
		t.Errorf("a leading dimension below the rows: %v", err)
	}
}
