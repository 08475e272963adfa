package cuda

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/ceto-ml/ceto/graph/graphtest"
	"github.com/ceto-ml/ceto/graph/plan"
)

// openNamed opens the device that CETO_TEST_DEVICE names, in a test with the tag gpu.
var openNamed func(name string) (*Device, error)

// newDevice opens an executor: on the device that CETO_TEST_DEVICE names, else on an emulated GPU in plain Go.
func newDevice(t testing.TB) *Device {
	t.Helper()
	name := os.Getenv("CETO_TEST_DEVICE")
	if name == "" {
		return newEmulated(t)
	}
	if openNamed == nil {
		t.Fatalf("CETO_TEST_DEVICE is %s, but the test was built without the tag gpu", name)
	}
	x, err := openNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// newEmulated opens an executor on an emulated GPU.
func newEmulated(t testing.TB) *Device {
	t.Helper()
	d := newDirect(emu.Options{Unchecked: os.Getenv("CETO_TEST_UNCHECKED") != ""})
	if dir := os.Getenv("CETO_TEST_KERNELS"); dir != "" { // of cuda/mutants
		kernelFS = os.DirFS(filepath.Dir(dir))
	}
	return openDirect(t, d)
}

// openDirect opens an executor on a direct driver.
func openDirect(t testing.TB, d *direct) *Device {
	t.Helper()
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
	if seed, err := strconv.ParseUint(os.Getenv("CETO_TEST_SEED"), 10, 64); err == nil {
		t.Logf("inputs are drawn with seed %d", seed)
		graphtest.Seed = seed
	}
	x := newDevice(t)
	x.poison = true
	graphtest.Run(t, graphtest.Planned(x, x.Options()), plan.ErrUnsupported)
}

// TestApprox: the kernels hold where each approximate operation is off by the largest error of the manual, either way.
func TestApprox(t *testing.T) {
	if testing.Short() || os.Getenv("CETO_TEST_DEVICE") != "" {
		t.Skip("the whole table twice, on an emulated GPU in plain Go")
	}
	for name, approx := range map[string]int{"down": -1, "up": 1} {
		t.Run(name, func(t *testing.T) {
			x := openDirect(t, newDirect(emu.Options{Approx: approx}))
			graphtest.Run(t, graphtest.Planned(x, x.Options()), plan.ErrUnsupported)
		})
	}
}
