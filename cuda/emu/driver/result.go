package driver

import (
	"github.com/ceto-ml/ceto/cuda/emu"
	"github.com/pkg/errors"
)

// Result is what a call returns: a CUresult.
type Result int

// The results, with the numbers of cuda.h.
const (
	Success            Result = 0
	InvalidValue       Result = 1
	OutOfMemory        Result = 2
	NotInitialized     Result = 3
	NoDevice           Result = 100
	InvalidDevice      Result = 101
	InvalidContext     Result = 201
	InvalidPTX         Result = 218
	InvalidHandle      Result = 400
	IllegalState       Result = 401
	NotFound           Result = 500
	NotReady           Result = 600
	IllegalAddress     Result = 700
	OutOfResources     Result = 701
	LaunchTimeout      Result = 702
	Misaligned         Result = 716
	LaunchFailed       Result = 719
	NotPermitted       Result = 800
	CaptureUnsupported Result = 900
	CaptureInvalidated Result = 901
	CaptureMerge       Result = 902
	CaptureUnmatched   Result = 903
	CaptureUnjoined    Result = 904
	CaptureIsolation   Result = 905
	CapturedEvent      Result = 907
	Unknown            Result = 999
)

// kinds are the results of the faults of a kernel. What hardware hides has the result of the nearest fault that it
// tells.
var kinds = map[string]Result{
	emu.OutOfBounds: IllegalAddress,
	emu.Unwritten:   IllegalAddress,
	emu.Misaligned:  Misaligned,
	emu.Limit:       OutOfResources,
	emu.Endless:     LaunchTimeout,
	emu.Race:        LaunchFailed,
	emu.Divergent:   LaunchFailed,
	emu.Trap:        LaunchFailed,
	emu.Unsupported: LaunchFailed,
}

// resultOf is the result of work that failed. An error that is no fault of a kernel is one of a copy.
func resultOf(err error) Result {
	var f *emu.Fault
	if !errors.As(err, &f) {
		return IllegalAddress
	}
	if r, ok := kinds[f.Kind]; ok {
		return r
	}
	return LaunchFailed
}
