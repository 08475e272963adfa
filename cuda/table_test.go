package cuda

import (
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
)

// newEmulated opens an executor on an emulated GPU.
func newEmulated(t testing.TB) *Device {
	t.Helper()
	d := newDirect(emu.Options{})
	x, err := open(newThread(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		if n, bytes := d.dev.Allocations(); n != 0 || d.pins != 0 {
			t.Errorf("%d allocations of %d bytes and %d pinned ones are left", n, bytes, d.pins)
		}
	})
	return x
}

// TestTable: the kernels give what the ops mean, for every row of the table of cases, through plans.
func TestTable(t *testing.T) {
	x := newEmulated(t)
	graphtest.Run(t, graphtest.Planned(x, x.Options()), plan.ErrUnsupported)
}
