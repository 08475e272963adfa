package ext

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLtPlaces(t *testing.T) {
	home := t.TempDir()
	venv := filepath.Join(home, "venv", "lib", "python3.11", "site-packages", "nvidia")
	for _, owner := range []string{"cu13", "cublas"} {
		if err := os.MkdirAll(filepath.Join(venv, owner, "lib"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"CETO_CUDA_PATH": "/a:/b", "CUDA_HOME": "/c", "VIRTUAL_ENV": filepath.Join(home, "venv"), "HOME": home}
	for _, c := range []struct {
		name   string
		driver int
		want   []string // in this order, maybe with others between
		not    string
	}{
		{"13", 13000, []string{"/a/libcublasLt.so.13", "/a/libcublasLt.so.12", "/a/lib64/libcublasLt.so.13", "/b/libcublasLt.so.13",
			"libcublasLt.so.13", "libcublasLt.so.12", "/c/lib64/libcublasLt.so.13", venv + "/cu13/lib/libcublasLt.so.13",
			venv + "/cublas/lib/libcublasLt.so.12"}, "/a/lib64/libcublasLt.so"},
		{"12", 12040, []string{"/a/libcublasLt.so.12", "libcublasLt.so.12", "/c/lib64/libcublasLt.so.12",
			venv + "/cublas/lib/libcublasLt.so.12"}, "/a/libcublasLt.so.13"},
	} {
		got := ltPlaces(func(name string) string { return env[name] }, c.driver)
		at := -1
		for _, w := range c.want {
			i := slices.Index(got, w)
			if i <= at {
				t.Errorf("%s: %s is at %d of %q, want it behind %d", c.name, w, i, got, at)
			}
			at = i
		}
		if slices.Contains(got, c.not) {
			t.Errorf("%s: %s is among the places", c.name, c.not)
		}
	}
}

func TestStatus(t *testing.T) {
	if got, want := NotSupported.Error(), "CUBLAS_STATUS_NOT_SUPPORTED (15)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := Status(99).Error(), "cuBLASLt status 99"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
