package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ceto-ml/ceto/cuda"
)

// child runs ceto in a process of its own, with more in its environment.
func child(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := exec.Cmd{Path: exe, Args: append([]string{"ceto"}, args...), Env: append(os.Environ(), env...), Stdout: &out, Stderr: &errs}
	err = c.Run()
	return out.String(), errs.String(), err
}

// doctorJSON is what ceto doctor --json prints.
func doctorJSON(t *testing.T, env ...string) checkup {
	t.Helper()
	out, errs, err := child(t, env, "doctor", "--json", "--threads", "2")
	if err != nil || errs != "" {
		t.Fatalf("doctor: %v\n%s", err, errs)
	}
	var c checkup
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return c
}

func TestDoctor(t *testing.T) {
	c := doctorJSON(t)
	if c.CPU.Name == "" || c.CPU.Peak <= 0 || c.CPU.Rate <= 0 || c.CPU.Threads != 2 || c.Memory.Free > c.Memory.Total {
		t.Errorf("cpu and memory: %+v", c)
	}
	if c.CUDA.Available != (c.CUDA.Reason == "") {
		t.Errorf("available is %t with the reason %q", c.CUDA.Available, c.CUDA.Reason)
	}
	if !cuda.Built && !strings.Contains(c.CUDA.Reason, "built without the tag gpu; make ceto-gpu") {
		t.Errorf("the reason is %q; want that the tag is missing, and the remedy", c.CUDA.Reason)
	}
	if cuda.Built && !c.CUDA.Available && len(c.CUDA.Tried) < 3 {
		t.Errorf("tried %q; want three places or more", c.CUDA.Tried)
	}
	text, _, err := child(t, nil, "doctor", "--threads", "1")
	if err != nil || !strings.Contains(text, "cuda ") || !strings.Contains(text, "GFLOP/s") {
		t.Errorf("doctor prints %q, error %v", text, err)
	}
}
