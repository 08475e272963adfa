package cuda

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// state implements plan.State.
type state struct {
	*plan.Values[addr]
	x       *Device
	stop    addr // the flag of the guards: a word that is not 0 after a run that failed, until its error is reported
	pending []*pending
	shared  addr // activations that programs have in common, and their bytes
	bytes   int
}

// A pending run was asked for, and its results were not looked at yet.
type pending struct {
	prog    *program
	scalars graph.Scalars
	ring    int
}

// NewState implements plan.Executor.
func (x *Device) NewState() plan.State { return &state{Values: &plan.Values[addr]{}, x: x} }

// Share implements plan.State.
func (s *state) Share(k graph.Kind) plan.State { return &state{Values: s.Values.Share(k), x: s.x} }

// flag makes the flag of the guards.
func (s *state) flag() (err error) {
	if s.stop == 0 {
		s.stop, err = s.x.allocZero("guard", 4)
	}
	return err
}

// settle waits for the pending runs but the last keep ones. It returns the error of the first that failed; those
// behind it had no effect and are forgotten.
func (s *state) settle(keep int) error {
	for len(s.pending) > keep {
		p := s.pending[0]
		s.pending = s.pending[1:]
		failed, err := p.prog.collect(p.ring)
		if err != nil {
			return err
		}
		if failed == nil {
			continue
		}
		s.pending = nil
		if err := s.x.drv.sync(); err != nil {
			return err
		}
		if err := s.x.drv.fill(s.stop, 0, 1); err != nil {
			return err
		}
		return &plan.LateError{Program: p.prog, Scalars: p.scalars, Err: failed}
	}
	return nil
}

// enter begins a call that waits for the runs before it.
func (s *state) enter() error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.x.open(); err != nil {
		return err
	}
	return s.settle(0)
}

// Read implements plan.State.
func (s *state) Read(name string) (d *tensor.Dense, err error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	return d, s.x.do(func() error {
		if err := s.enter(); err != nil {
			return err
		}
		v, err := s.Find(name)
		if err != nil {
			return err
		}
		b := graph.NewBuf(v.Meta)
		d = graph.Dense(b)
		return s.x.read(b.Mem, v.Mem)
	})
}

// ready is the error of a call on what is closed, before the thread is asked.
func (s *state) ready() error {
	if err := s.Err(); err != nil {
		return err
	}
	return s.x.open()
}

// Write implements plan.State.
func (s *state) Write(name string, d *tensor.Dense) error {
	return s.Fill(name, func(b graph.Buf) error {
		from, err := graph.BufOfDense(d, b.Meta)
		copy(b.Mem, from.Mem)
		return err
	})
}

// Fill implements plan.State.
func (s *state) Fill(name string, f func(b graph.Buf) error) error {
	if err := s.ready(); err != nil {
		return err
	}
	if err := s.x.do(s.enter); err != nil {
		return err
	}
	v, err := s.Find(name)
	if err != nil {
		return err
	}
	b := graph.NewBuf(v.Meta)
	if err := f(b); err != nil {
		return errors.Wrapf(err, "state %q", name)
	}
	return s.x.do(func() error { return s.x.write(v.Mem, b.Mem) })
}

// activations is memory that the programs of the state have in common, at least n bytes.
func (s *state) activations(n int) (addr, error) {
	if n <= s.bytes && s.shared != 0 {
		return s.shared, nil
	}
	if s.shared != 0 {
		if err := s.x.drv.sync(); err != nil {
			return 0, err
		}
		if err := s.x.release(s.shared); err != nil {
			return 0, err
		}
		s.shared, s.bytes = 0, 0
	}
	a, err := s.x.alloc("activations", n)
	if err == nil {
		s.shared, s.bytes = a, n
	}
	return a, err
}

// Close implements plan.State.
func (s *state) Close() error {
	if s.Err() != nil || s.x.closed {
		return nil
	}
	return s.x.do(func() error {
		err := s.settle(0)
		blocks := append(s.Values.Close(), s.stop, s.shared)
		s.stop, s.shared = 0, 0
		if e := s.x.release(blocks...); err == nil {
			err = e
		}
		return err
	})
}
