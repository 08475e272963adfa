package main

import (
	"fmt"
	"io"

	"github.com/ceto-ml/ceto/cuda"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// executor opens the device that --device names. With auto that is a GPU where one is usable.
func (g *global) executor() (plan.Executor, error) {
	if g.notes == nil {
		return g.openDevice(io.Discard)
	}
	return g.openDevice(g.notes)
}

// openDevice is executor; w is told what auto took.
func (g *global) openDevice(w io.Writer) (plan.Executor, error) {
	switch {
	case g.Device == "auto":
		return g.auto(w)
	case g.checkDevice() != nil:
		return nil, g.checkDevice()
	}
	return cuda.Open(g.Device, g.Threads)
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
	switch g.Device {
	case "auto", "cpu":
		return plan.CPU(g.Threads), nil
	case "emulated":
		return cuda.EmulatedPlanner()
	}
	return cuda.Planner(), g.checkDevice()
}

// checkDevice refuses a name that no device has.
func (g *global) checkDevice() error {
	if g.Device == "auto" || g.Device == "cpu" || g.Device == "emulated" {
		return nil
	}
	if _, err := cuda.Number(g.Device); err != nil {
		return usagef("--device is %s; it must be %s", g.Device, cuda.Names)
	}
	return nil
}
