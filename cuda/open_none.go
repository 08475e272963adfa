//go:build !gpu

package cuda

import "github.com/pkg/errors"

// Built says whether this binary can use a GPU: it was built with the tag gpu.
const Built = false

const notBuilt = "cuda: this binary was built without the tag gpu; make ceto-gpu builds one with it"

func (p *Probed) probe() { p.Reason = notBuilt }

// New opens GPU n, the first of which is 0. In a build without the tag gpu the error is [ErrNoDevice].
func New(n int) (*Device, error) {
	return nil, errors.Wrap(ErrNoDevice, notBuilt)
}

// Emulated opens an emulated GPU, which runs the same kernels and checks every access. In a build without the tag gpu
// the error is [ErrNoDevice].
func Emulated() (*Device, error) { return New(0) }
