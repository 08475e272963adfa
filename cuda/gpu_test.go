//go:build gpu

package cuda

import (
	"strconv"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

func init() {
	openNamed = func(name string) (*Device, error) {
		if name == "emulated" {
			return Emulated()
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(name, "cuda:")) // "cuda" is the first
		return New(n)
	}
}

// TestProbe: what is found of the GPUs is consistent, and a GPU that is not there is ErrNoDevice with a reason.
func TestProbe(t *testing.T) {
	p := Probe()
	if p.Available == (p.Reason != "") {
		t.Errorf("available is %t with the reason %q", p.Available, p.Reason)
	}
	if len(p.Libraries) == 0 || p.Libraries[0].Path == "" && p.Libraries[0].Reason == "" {
		t.Errorf("libraries %+v; want a path or a reason", p.Libraries)
	}
	x, err := New(1000)
	if x != nil || !errors.Is(err, ErrNoDevice) || plain(err) == "" {
		t.Errorf("GPU 1000: %v, error %v", x, err)
	}
}

// TestEmulatedTwice: two executors share the emulated GPU, and it can be opened again after both are closed.
func TestEmulatedTwice(t *testing.T) {
	for range 2 {
		var open []*Device
		for range 2 {
			x, err := Emulated()
			if err != nil {
				t.Fatal(err)
			}
			if d := x.Device(); d.Kind != "emulated" || d.Total != 1<<30 || d.Free == 0 {
				t.Errorf("device %+v", d)
			}
			open = append(open, x)
		}
		for _, x := range open {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestRates: copies and launches are measured on the emulated GPU too, and what cannot be has its reason.
func TestRates(t *testing.T) {
	x, err := Emulated()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	g, ok := x.drv.(*gpu)
	if !ok {
		t.Fatalf("the driver is a %T", x.drv)
	}
	var r Rates
	free := x.Device().Free
	err = x.do(func() error { return r.starts(g) })
	if err != nil || r.Launch <= 0 {
		t.Errorf("a launch in %g µs, error %v", r.Launch, err)
	}
	if err := x.do(func() error { return r.copies(g) }); err != nil {
		t.Errorf("copies: %v", err) // they take no time there
	}
	if err := x.do(func() error { return r.products(g) }); err == nil && r.Product <= 0 {
		t.Error("products were measured as 0")
	}
	if now := x.Device().Free; now != free {
		t.Errorf("%d bytes free, want %d as before", now, free)
	}
}
