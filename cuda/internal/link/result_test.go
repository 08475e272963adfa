package link

import "testing"

func TestResult(t *testing.T) {
	for r, want := range map[Result]string{999: "CUDA_ERROR_UNKNOWN (999)", OutOfMemory: "CUDA_ERROR_OUT_OF_MEMORY (2)",
		NoDevice: "CUDA_ERROR_NO_DEVICE (100)", NotFound: "CUDA_ERROR_NOT_FOUND (500)", NotReady: "CUDA_ERROR_NOT_READY (600)",
		12345: "CUDA error 12345"} {
		if got := r.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := VersionString(12040); got != "12.4" {
		t.Errorf("version 12040 is %q, want 12.4", got)
	}
}
