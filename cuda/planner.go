package cuda

import (
	"os"
	"slices"
	"time"

	emudriver "github.com/ceto-ml/ceto/cuda/emu/driver"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
)

// Planner returns an executor that plans for a GPU of compute capability 9.0 with cuBLASLt and runs nothing. It needs
// no GPU and no build tag. Compile is [ErrNoDevice].
func Planner() plan.Executor { return planner{libraryAlways(workspaceBytes)} }

// EmulatedPlanner is Planner for the emulated GPU, which lacks cuBLASLt where CETO_EMU asks for that.
func EmulatedPlanner() (plan.Executor, error) {
	set, err := emudriver.ParseSetting(os.Getenv("CETO_EMU"))
	if slices.Contains(set.Refuse, "cublaslt") {
		return planner{ownOnly}, err
	}
	return planner{libraryAlways(emulatedWorkspaceBytes)}, err
}

type planner struct{ choose chooser }

// Device implements plan.Executor.
func (planner) Device() plan.Device {
	return plan.Device{Kind: "cuda", Name: "compute capability 9.0, not here"}
}

// Peak implements plan.Executor.
func (planner) Peak(time.Duration) float64 { return 0 }

// Options implements plan.Executor.
func (p planner) Options() plan.Options { return options(p.choose) }

// NewState implements plan.Executor. The state takes no values.
func (planner) NewState() plan.State {
	return &state{Values: &plan.Values[addr]{}, x: &Device{closed: true}}
}

// Compile implements plan.Executor.
func (planner) Compile(*plan.Plan, plan.State) (plan.Program, error) {
	return nil, errors.Wrap(ErrNoDevice, "cuda: a planner runs nothing")
}

// Close implements plan.Executor.
func (planner) Close() error { return nil }

// Counts are what one run of a plan asks a GPU for.
type Counts struct {
	Launches int            `json:"launches"`  // of kernels and of products of the library
	ByKernel map[string]int `json:"by_kernel"` // launches of each, products under cublasLt
	Bytes    int64          `json:"bytes"`     // that the steps read and write
	FLOPs    int64          `json:"flops"`
}

// Launches counts the launches of one run of p on x, a planner or a device. A step without a kernel is an error that
// wraps plan.ErrUnsupported.
func Launches(x plan.Executor, p *plan.Plan) (Counts, error) {
	var choose chooser
	switch x := x.(type) {
	case planner:
		choose = x.choose
	case *Device:
		choose = x.planned
	default:
		return Counts{}, errors.Errorf("cuda: Launches on %T, want a planner or a device", x)
	}
	code, err := compile(p, choose)
	if err != nil {
		return Counts{}, err
	}
	c := Counts{ByKernel: map[string]int{"ceto_report": 1}, FLOPs: p.FLOPs()}
	if len(p.Guards) > 0 {
		c.ByKernel["ceto_guard"] = 1
	}
	for i, list := range code.steps {
		c.Bytes += p.Steps[i].Bytes
		for _, l := range list {
			c.ByKernel[l.kernel]++
		}
	}
	for _, n := range c.ByKernel {
		c.Launches += n
	}
	return c, nil
}
