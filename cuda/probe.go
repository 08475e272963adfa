package cuda

// MinCapability is the oldest compute capability that the kernels run on.
const MinCapability = 8

// Probed is what is known of the GPUs of this machine.
type Probed struct {
	Available bool        `json:"available"` // a GPU that can be used
	Reason    string      `json:"reason"`    // why none can; "" where one can
	Tried     []string    `json:"tried"`     // where a driver was looked for, each with what came of it
	Driver    string      `json:"driver"`    // the CUDA version of the driver, such as "13.0"
	Devices   []GPU       `json:"devices"`
	Libraries []ProbedLib `json:"libraries"`
}

// GPU is a device of the driver.
type GPU struct {
	Name       string `json:"name"`
	Capability string `json:"capability"` // such as "9.0"
	BytesTotal int64  `json:"bytes_total"`
	BytesFree  int64  `json:"bytes_free"`
	Reason     string `json:"reason,omitempty"` // why it cannot be used
	Rates
	Note string `json:"note,omitempty"` // why a rate is missing
}

// Rates are what a GPU was measured to do; 0 where it was not.
type Rates struct {
	Copy    float64 `json:"gb_per_s,omitempty"`  // of copies within it, bytes read and bytes written
	Launch  float64 `json:"launch_us,omitempty"` // microseconds from one kernel that does nothing to the next
	Product float64 `json:"tflops,omitempty"`    // of products of bfloat16 matrices by cuBLASLt
}

// ProbedLib is a library beside the driver, found or not.
type ProbedLib struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"`              // "" where it was not found
	Version int      `json:"version,omitempty"` // as it says itself, such as 130100
	Reason  string   `json:"reason,omitempty"`
	Tried   []string `json:"tried,omitempty"`
}

// Probe looks for a driver, its GPUs and cuBLASLt. It holds nothing when it returns. In a build without the tag gpu it
// looks for nothing, and the reason says so.
func Probe() Probed {
	p := Probed{Tried: []string{}, Devices: []GPU{}, Libraries: []ProbedLib{}}
	p.probe()
	return p
}
