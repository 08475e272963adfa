package cuda

import (
	"strings"
	"testing"

	"github.com/pkg/errors"
)

// TestOpen: a device has a name, and a name that none has is an error that lists them.
func TestOpen(t *testing.T) {
	x, err := Open("cpu", 1)
	if err != nil || x.Device().Kind != "cpu" || x.Device().Workers != 1 {
		t.Fatalf("cpu is %+v, error %v", x, err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if x, err = Open("auto", 1); err != nil {
		t.Fatal(err)
	}
	if kind := x.Device().Kind; kind != "cpu" && kind != "cuda" {
		t.Errorf("auto is %s", kind)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if !Built {
		for _, name := range []string{"emulated", "cuda", "cuda:1"} {
			if x, err := Open(name, 1); !errors.Is(err, ErrNoDevice) || x != nil {
				t.Errorf("%s without the tag gpu: %v, %v", name, x, err)
			}
		}
	}
	for _, name := range []string{"", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"} {
		if x, err := Open(name, 1); err == nil || x != nil || !strings.Contains(err.Error(), Names) {
			t.Errorf("%q: %v, %v", name, x, err)
		}
	}
}
