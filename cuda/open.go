package cuda

import (
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// Names tells what [Open] takes.
const Names = "auto, cpu, cuda, cuda:N (GPU N, from 0) or emulated"

// Open opens the device of a name, see [Names]. auto is the first GPU where one is usable, else the CPU. A CPU has as
// many threads, and 0 is one for each processor.
func Open(name string, threads int) (plan.Executor, error) {
	switch name {
	case "cpu":
		return plan.CPU(threads), nil
	case "emulated":
		return orNone(Emulated())
	case "auto":
		x, err := orNone(New(0))
		if errors.Is(err, ErrNoDevice) {
			return plan.CPU(threads), nil
		}
		return x, err
	}
	n, err := Number(name)
	if err != nil {
		return nil, err
	}
	return orNone(New(n))
}

// orNone is x without a typed nil.
func orNone(x *Device, err error) (plan.Executor, error) {
	if err != nil {
		return nil, err
	}
	return x, nil
}

// Number is N of cuda:N, and 0 of cuda. Another name is an error.
func Number(name string) (int, error) {
	kind, number, has := strings.Cut(name, ":")
	n, err := strconv.Atoi(number)
	if !has {
		n, err = 0, nil
	}
	if kind != "cuda" || err != nil || n < 0 {
		return 0, errors.Errorf("device %q; want %s", name, Names)
	}
	return n, nil
}
