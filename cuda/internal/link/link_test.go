//go:build gpu

package link

import (
	"testing"

	"gorgonia.org/cu"
)

// TestNoDriver holds where no driver is: on most machines that run tests.
func TestNoDriver(t *testing.T) {
	err := Err()
	if err == nil {
		t.Skip("there is a driver: ", Library())
	}
	if len(Tried()) < 3 {
		t.Errorf("tried %q, want three places or more", Tried())
	}
	if _, e := cu.NumDevices(); e == nil {
		t.Errorf("cu finds a device, yet: %v", err)
	}
}
