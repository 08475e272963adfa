//go:build gpu

package entry_test

import (
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/cuda/internal/entry"
	"github.com/ceto-ml/ceto/cuda/internal/ext"
	"gorgonia.org/cu"
)

// openLt opens the library that stands in for cuBLASLt.
func openLt(t *testing.T, setting string) *ext.Lt {
	t.Helper()
	install(t, setting)
	lt, err := ext.OpenLt()
	ok(t, err)
	t.Cleanup(func() { ok(t, lt.Close()) })
	return lt
}

// The extents of the products: two of (m,k)·(k,n) to (m,n). A lies transposed, its columns with gaps.
const (
	m, n, k = 24, 8, 64
	lda     = k + 4
)

// described is a product of these extents, for addresses that are multiples of 16.
func described(e ext.Epilogue) ext.Product {
	p := ext.Product{TransA: true, Compute: ext.Sum32, Epilogue: e, AuxLD: m, AuxStride: m * n,
		Align: [4]int{16, 16, 16, 16}, Workspace: 1 << 20,
		A: ext.Layout{Rows: k, Cols: m, LD: lda, Batch: 2, Stride: lda * m},
		B: ext.Layout{Rows: k, Cols: n, LD: k, Batch: 2, Stride: k * n},
		D: ext.Layout{Rows: m, Cols: n, LD: m, Batch: 2, Stride: m * n}}
	p.C = p.D
	return p
}

// small are numbers whose products and sums are exact.
func small(n, seed int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((seed*i+i/7)%5 - 2)
	}
	return x
}

// operands are those of a product, with the numbers that they hold.
type operands struct {
	ext.Operands
	a, b, d, bias []float32
}

// filled makes the operands of a product whose result lies in the place of C.
func filled(t *testing.T) operands {
	t.Helper()
	o := operands{a: small(2*lda*m, 3), b: small(2*k*n, 7), d: small(2*m*n, 11), bias: small(m, 13)}
	o.Operands = ext.Operands{A: onDevice(t, o.a), B: onDevice(t, o.b), D: onDevice(t, o.d),
		Vector: onDevice(t, o.bias), Alpha: 1}
	o.C = o.D
	return o
}

// want is the product in plain loops.
func (o operands) want(bias bool) []float32 {
	y := make([]float32, 2*m*n)
	for at := range y {
		i, j, batch := at%m, at/m%n, at/(m*n)
		var sum float32
		for q := range k {
			sum += o.a[batch*lda*m+i*lda+q] * o.b[batch*k*n+j*k+q]
		}
		if y[at] = o.Alpha*sum + o.Beta*o.d[at]; bias {
			y[at] += o.bias[i]
		}
	}
	return y
}

// TestProduct: products of ext agree with plain loops, by each way that the library offers.
func TestProduct(t *testing.T) {
	lt := openLt(t, "")
	if v := ext.LtVersion(); v != 120001 {
		t.Errorf("version %d of the library", v)
	}
	s, err := ext.NewStream()
	ok(t, err)
	o := filled(t)
	for _, c := range []struct {
		epilogue    ext.Epilogue
		alpha, beta float32
		c           uint64
	}{{ext.WithBias, 2, 0, o.D}, {ext.None, 0.5, 1, o.D}, {ext.None, 1, -1, onDevice(t, o.d)}} {
		x, err := lt.Prepare(described(c.epilogue))
		ok(t, err)
		ways, err := x.Algorithms(5)
		ok(t, err)
		if len(ways) != 3 || ways[1].Workspace != 4*m*n || ways[0].Waves != 0.5 {
			t.Fatalf("algorithms %+v", ways)
		}
		if one, err := x.Algorithms(1); len(one) != 1 || err != nil {
			t.Errorf("%d algorithms where one is asked for, error %v", len(one), err)
		}
		for i, way := range ways {
			o.Alpha, o.Beta, o.C, o.WorkspaceBytes = c.alpha, c.beta, c.c, way.Workspace
			if way.Workspace > 0 {
				o.Workspace = onDevice(t, make([]float32, way.Workspace/4))
			}
			if o.C == o.D {
				ok(t, ext.CopyIn(o.D, bytesOf(o.d), s))
			}
			ok(t, x.Run(way, o.Operands, s))
			y := make([]float32, len(o.d))
			ok(t, ext.CopyOut(bytesOf(y), o.D, s))
			if want := o.want(c.epilogue == ext.WithBias); !slices.Equal(y, want) {
				t.Errorf("epilogue %d, algorithm %d: %g\nwant %g", c.epilogue, i, y, want)
			}
		}
		ok(t, x.Close())
	}
}

// TestProductStream: a product is work of the stream that it is given.
func TestProductStream(t *testing.T) {
	lt := openLt(t, "")
	s, err := ext.NewStream()
	ok(t, err)
	x, err := lt.Prepare(described(ext.None))
	ok(t, err)
	ways, err := x.Algorithms(1)
	ok(t, err)
	o := filled(t)
	ok(t, s.BeginCapture())
	ok(t, x.Run(ways[0], o.Operands, s))
	g, err := s.EndCapture()
	ok(t, err)
	if n, err := g.Nodes(); n != 1 || err != nil {
		t.Errorf("%d operations in the capture of a product, error %v", n, err)
	}
}

// TestProductRefused: what the library refuses has a status in the error and a reason in Refused. What a product does
// wrong when it runs is a fault, as of a kernel.
func TestProductRefused(t *testing.T) {
	lt := openLt(t, "")
	x, err := lt.Prepare(described(ext.None))
	ok(t, err)
	ways, err := x.Algorithms(1)
	ok(t, err)
	o := filled(t)
	off := o.Operands
	off.A += 4
	const invalid ext.Status = 7
	is(t, "A off its alignment", x.Run(ways[0], off, 0), invalid)
	says(t, entry.Refused(), "A at 0x", "multiple of 16")
	if err := entry.Fault(); err != nil {
		t.Errorf("A off its alignment is a fault: %v", err)
	}
	short := described(ext.None)
	short.B.LD = k - 1
	_, err = lt.Prepare(short)
	is(t, "columns that lie in each other", err, invalid)
	says(t, entry.Refused(), "ld 63 of a matrix with 64 rows")
	short = described(ext.None)
	short.Align = [4]int{4, 4, 4, 4}
	x, err = lt.Prepare(short)
	ok(t, err)
	if ways, err := x.Algorithms(5); len(ways) != 1 || err != nil {
		t.Errorf("%d algorithms for addresses that are multiples of 4, error %v; want 1", len(ways), err)
	}

	entry.Annotate([]emu.Range{{Name: "weights", Ptr: emu.Ptr(o.A), Bytes: 16, Access: emu.Reads}}, "h.0: MatMul")
	x, err = lt.Prepare(described(ext.None))
	ok(t, err)
	ok(t, x.Run(ways[0], o.Operands, 0))
	if err := ext.Stream(0).Sync(); err == nil {
		t.Error("a product that reads past its range runs")
	}
	says(t, entry.Fault(), "h.0: MatMul", `"weights"`)
}

// TestEpilogueRefused: CETO_EMU takes epilogues away.
func TestEpilogueRefused(t *testing.T) {
	for setting, want := range map[string]int{"": 3, "refuse:bgrad": 0} {
		t.Run(setting, func(t *testing.T) {
			lt := openLt(t, setting)
			for _, e := range []ext.Epilogue{ext.None, ext.BiasGradA, ext.BiasGradB, ext.DGELUBiasGrad} {
				p := described(e)
				for _, l := range []*ext.Layout{&p.A, &p.B, &p.C, &p.D} {
					l.Batch, l.Stride = 0, 0
				}
				x, err := lt.Prepare(p)
				ok(t, err)
				ways, err := x.Algorithms(5)
				ok(t, err)
				if len(ways) != want && e != ext.None || len(ways) != 3 && e == ext.None {
					t.Errorf("epilogue %d: %d algorithms", e, len(ways))
				}
			}
		})
	}
}

// current makes the primary context that of the test's thread, which it keeps.
func current(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	ctx, err := cu.Device(0).RetainPrimaryCtx()
	ok(t, err)
	ok(t, cu.SetCurrentContext(ctx))
}

// TestLtGivenBack: what is made of the library can be given back, and is counted where it is not.
func TestLtGivenBack(t *testing.T) {
	for _, c := range []struct {
		keep bool
		say  string
	}{{false, " 0 graphs and 0 handles of cuBLASLt left"}, {true, " 1 graphs and 7 handles of cuBLASLt left"}} {
		t.Setenv("CETO_EMU", "report")
		ok(t, entry.Install())
		current(t)
		lt, err := ext.OpenLt()
		ok(t, err)
		x, err := lt.Prepare(described(ext.None))
		ok(t, err)
		s, err := ext.NewStream()
		ok(t, err)
		ok(t, s.BeginCapture())
		g, err := s.EndCapture()
		ok(t, err)
		if !c.keep {
			ok(t, x.Close())
			ok(t, lt.Close())
			ok(t, g.Destroy())
			if err := lt.Close(); err == nil {
				t.Error("the library closes twice")
			}
		}
		if text := release(t); !strings.Contains(text, c.say) {
			t.Errorf("no %q in the report\n%s", c.say, text)
		}
	}
}

// release ends what Install began, and returns the report.
func release(t *testing.T) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "report")
	ok(t, err)
	defer f.Close()
	was := os.Stderr
	os.Stderr = f
	err = entry.Release()
	os.Stderr = was
	ok(t, err)
	_, err = f.Seek(0, io.SeekStart)
	ok(t, err)
	b, err := io.ReadAll(f)
	ok(t, err)
	return string(b)
}
