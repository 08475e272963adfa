//go:build gpu

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/google/go-cmp/cmp"
)

// fakeDriver compiles the driver of testdata/fakedriver.
func fakeDriver(t *testing.T, flags ...string) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc, which compiles the driver of this test")
	}
	lib := filepath.Join(t.TempDir(), "fake.so")
	c := exec.Command(gcc, append(flags, "-shared", "-fPIC", "-o", lib, "testdata/fakedriver/fake.c")...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return lib
}

// TestFakeDriver: what a driver says comes out of doctor, and each thing that can be wrong with one has its reason.
func TestFakeDriver(t *testing.T) {
	gpu := cuda.GPU{Name: "Fake GPU 3000", Capability: "9.0", BytesTotal: 80 << 30, BytesFree: 79 << 30, Note: "cuda: cuMemAlloc: CUDA_ERROR_UNKNOWN (999)"}
	for _, c := range []struct {
		name   string
		flags  []string
		reason []string // parts of it; none: the GPU can be used
		gpus   int
	}{
		{"good", nil, nil, 1},
		{"two", []string{"-DCOUNT=2"}, nil, 2},
		{"no GPU", []string{"-DCOUNT=0"}, []string{"fake.so", "no GPU"}, 0},
		{"cuInit", []string{"-DINIT=999"}, []string{"cuInit", "fake.so", "CUDA_ERROR_UNKNOWN (999)"}, 0},
		{"cuInit without devices", []string{"-DINIT=100"}, []string{"cuInit", "CUDA_ERROR_NO_DEVICE (100)"}, 0},
		{"a function", []string{"-DLACKS"}, []string{"fake.so lacks cuLaunchKernel"}, 0},
		{"an old driver", []string{"-DVERSION=11080"}, []string{"driver for CUDA 11.8", "12.0", "525"}, 0},
		{"an old GPU", []string{"-DMAJOR=7"}, []string{"Fake GPU 3000", "capability 7.0", "8.0"}, 1},
		{"a GPU in use", []string{"-DRETAIN=46"}, []string{"cuDevicePrimaryCtxRetain", "CUDA_ERROR_DEVICE_UNAVAILABLE (46)"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := doctorJSON(t, "CETO_LIBCUDA="+fakeDriver(t, c.flags...)).CUDA
			if got.Available != (c.reason == nil) || len(got.Devices) != c.gpus {
				t.Errorf("available is %t with %d GPUs: %+v", got.Available, len(got.Devices), got)
			}
			for _, part := range c.reason {
				if !strings.Contains(got.Reason, part) {
					t.Errorf("the reason is %q, want %q in it", got.Reason, part)
				}
			}
			if c.reason != nil {
				return
			}
			if diff := cmp.Diff(gpu, got.Devices[0]); diff != "" {
				t.Errorf("the GPU (want, got):\n%s", diff)
			}
			if got.Driver != "12.4" || !strings.HasSuffix(got.Tried[0], "fake.so: found") {
				t.Errorf("driver %q, tried %q", got.Driver, got.Tried)
			}
		})
	}
}

// TestNoGPU: a command that needs a GPU ends with the reason why there is none.
func TestNoGPU(t *testing.T) {
	_, errs, err := child(t, []string{"CETO_LIBCUDA=" + fakeDriver(t, "-DCOUNT=0")}, "pretrain", "--data", "../../testdata/small.txt",
		"--preset", "tiny", "--device", "cuda", "--steps", "1", "--out", t.TempDir())
	if err == nil || !strings.Contains(errs, "no GPU") || strings.Count(errs, "\n") != 1 {
		t.Errorf("error %v, %q; want one line that says that there is no GPU", err, errs)
	}
}
