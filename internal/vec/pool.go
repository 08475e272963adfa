// Package vec has the inner loops of the CPU executor and the pool of workers that runs them.
package vec

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Work is done in independent parts. A part may use memory of its worker, 0 ≤ worker < Pool.Workers(). The type has
// no name of its own, so that another package can declare an interface that a Pool has.
type Work = interface{ Part(i, worker int) }

// A Pool runs the parts of one work at a time on a fixed number of workers, the caller being one of them.
//
// The caller of Run is worker 0; each of the others is a goroutine that lives as long as the pool. Between two runs
// it spins for a short while, then parks. A part is claimed by lowering left. So a worker that comes late, because
// another process has its core, finds nothing to do and holds nobody up.
type Pool struct {
	workers int
	work    Work // of the current run, as n; both are read only by one who has claimed a part
	n       int
	gemm    gemmWorks

	_      [64]byte     // keeps what all of them write from what is read only
	left   atomic.Int64 // parts not yet claimed
	_      [56]byte
	done   atomic.Int64 // parts finished
	_      [56]byte
	closed atomic.Bool
	beds   []bed // where worker i parks; the caller's is 0
	wg     sync.WaitGroup
}

// A bed is where one worker parks: it sets asleep, looks for work once more and waits for a token, which whoever
// clears asleep sends.
type bed struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

// spin is how long a worker looks for work before it parks, in wall time: where its core is taken it ends at once.
const spin = 50 * time.Microsecond

// NewPool returns a pool of the given number of workers, at least one; Close ends it.
func NewPool(workers int) *Pool {
	p := &Pool{workers: max(workers, 1)}
	p.beds = make([]bed, p.workers)
	for w := range p.beds {
		p.beds[w].wake = make(chan struct{}, 1)
	}
	p.wg.Add(p.workers - 1)
	for w := 1; w < p.workers; w++ {
		go p.serve(w)
	}
	return p
}

// Workers is the number of workers.
func (p *Pool) Workers() int { return p.workers }

// Close ends the workers and returns when they are gone. The pool must not be used after it.
func (p *Pool) Close() {
	p.closed.Store(true)
	for w := 1; w < p.workers; w++ {
		p.rouse(w)
	}
	p.wg.Wait()
}

// Run calls work.Part(i, worker) for 0 ≤ i < n, each once, and returns when all have returned. It allocates nothing.
// It must not be called by two goroutines at a time, nor from a part.
func (p *Pool) Run(n int, work Work) {
	if p.workers == 1 || n <= 1 {
		for i := range n {
			work.Part(i, 0)
		}
		return
	}
	p.work, p.n = work, n
	p.done.Store(0)
	p.left.Store(int64(n))
	for w := 1; w < min(n, p.workers); w++ {
		p.rouse(w)
	}
	p.parts(0)
	p.wait(0, func() bool { return p.done.Load() == int64(n) })
	p.work = nil
}

// serve is the life of worker w.
func (p *Pool) serve(w int) {
	defer p.wg.Done()
	for {
		p.wait(w, func() bool { return p.left.Load() > 0 || p.closed.Load() })
		if p.closed.Load() {
			return
		}
		if p.parts(w) {
			p.rouse(0)
		}
	}
}

// parts runs parts as worker w until none is left, and says whether it finished the last one of the run.
func (p *Pool) parts(w int) (last bool) {
	did := int64(0)
	n := int64(0)
	for {
		left := p.left.Load()
		if left <= 0 {
			break
		}
		if !p.left.CompareAndSwap(left, left-1) {
			continue
		}
		n = int64(p.n)
		p.work.Part(int(n-left), w)
		did++
	}
	return did > 0 && p.done.Add(did) == n
}

// wait returns when ready says so: it spins for a while, then parks in the bed of worker w.
func (p *Pool) wait(w int, ready func() bool) {
	b := &p.beds[w]
	for {
		for start := time.Now(); time.Since(start) < spin; {
			for range 16 {
				if ready() {
					return
				}
				pause()
			}
		}
		b.asleep.Store(true)
		if ready() && b.asleep.CompareAndSwap(true, false) {
			return
		}
		<-b.wake
	}
}

// rouse wakes worker w if it is parked.
func (p *Pool) rouse(w int) {
	if b := &p.beds[w]; b.asleep.Load() && b.asleep.CompareAndSwap(true, false) {
		b.wake <- struct{}{}
	}
}
