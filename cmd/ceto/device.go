package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// deviceNames tells what --device may say.
const deviceNames = "auto, cpu, cuda, cuda:N (GPU N, from 0) or emulated"

// executor opens the device that --device names. With auto that is a GPU where one is usable.
func (g *global) executor() (plan.Executor, error) { return g.openDevice(os.Stderr) }

// openDevice is executor; w is told what auto took.
func (g *global) openDevice(w io.Writer) (plan.Executor, error) {
	switch g.Device {
	case "cpu":
		return plan.CPU(g.Threads), nil
	case "emulated":
		x, err := cuda.Emulated()
		return orNone(x, err)
	case "auto":
		return g.auto(w)
	}
	n, err := gpuNumber(g.Device)
	if err != nil {
		return nil, err
	}
	x, err := cuda.New(n)
	return orNone(x, err)
}

// orNone is x without a typed nil.
func orNone(x *cuda.Device, err error) (plan.Executor, error) {
	if err != nil {
		return nil, err
	}
	return x, nil
}

// auto takes the first GPU, or else the CPU. It says which and why in a program that can use GPUs.
func (g *global) auto(w io.Writer) (plan.Executor, error) {
	x, err := cuda.New(0)
	switch {
	case err == nil:
		fmt.Fprintf(w, "device: cuda:0, %s\n", x.Device().Name)
		return x, nil
	case !errors.Is(err, cuda.ErrNoDevice):
		return nil, err
	case cuda.Built:
		fmt.Fprintf(w, "device: cpu, since there is no GPU to use: %v\n", err)
	}
	return plan.CPU(g.Threads), nil
}

// planner is an executor that plans for the device that --device names. A GPU need not be there.
func (g *global) planner() (plan.Executor, error) {
	switch _, err := gpuNumber(g.Device); {
	case g.Device == "auto", g.Device == "cpu":
		return plan.CPU(g.Threads), nil
	case g.Device == "emulated":
		return cuda.EmulatedPlanner()
	case err != nil:
		return nil, err
	}
	return cuda.Planner(), nil
}

// checkDevice refuses a name that no device has.
func (g *global) checkDevice() error {
	if g.Device == "auto" || g.Device == "cpu" || g.Device == "emulated" {
		return nil
	}
	_, err := gpuNumber(g.Device)
	return err
}

// gpuNumber is N of cuda:N, and 0 of cuda.
func gpuNumber(device string) (int, error) {
	kind, number, has := strings.Cut(device, ":")
	n, err := strconv.Atoi(number)
	if !has {
		n, err = 0, nil
	}
	if kind != "cuda" || err != nil || n < 0 {
		return 0, usagef("--device is %s; it must be %s", device, deviceNames)
	}
	return n, nil
}
