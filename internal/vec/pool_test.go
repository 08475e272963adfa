package vec

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// count counts the calls of each part and notes a worker out of range.
type count struct {
	calls   []int32
	workers int
	bad     atomic.Int32
	nap     time.Duration
}

func (c *count) Part(i, worker int) {
	if worker < 0 || worker >= c.workers {
		c.bad.Add(1)
	}
	c.calls[i]++ // parts are independent: the race detector sees a part run twice
	if c.nap > 0 && i%3 == 0 {
		time.Sleep(c.nap)
	}
}

func TestPool(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 3, 8} {
		p := NewPool(workers)
		if want := max(workers, 1); p.Workers() != want {
			t.Errorf("NewPool(%d).Workers() = %d, want %d", workers, p.Workers(), want)
		}
		for _, n := range []int{0, 1, 2, 3, 7, 100} {
			for _, nap := range []time.Duration{0, 0, 0, 3 * spin} { // with naps the others park
				c := &count{calls: make([]int32, n), workers: p.Workers(), nap: nap}
				if n > 7 {
					c.nap = 0
				}
				p.Run(n, c)
				for i, calls := range c.calls {
					if calls != 1 {
						t.Fatalf("%d workers, %d parts: part %d ran %d times", workers, n, i, calls)
					}
				}
				if c.bad.Load() > 0 {
					t.Fatalf("%d workers, %d parts: a worker out of range", workers, n)
				}
			}
		}
		p.Close()
	}
}

// TestPoolMany runs much short work, one after the other, with pauses in which the workers park.
func TestPoolMany(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	c := &count{calls: make([]int32, 5), workers: 4}
	runs := 20000
	if testing.Short() {
		runs = 500
	}
	for r := range runs {
		p.Run(len(c.calls), c)
		if r%997 == 0 {
			time.Sleep(2 * spin)
		}
	}
	for i, calls := range c.calls {
		if int(calls) != runs {
			t.Errorf("part %d ran %d times, want %d", i, calls, runs)
		}
	}
}

// TestPoolClaims has so many parts of no work that workers claim them at the same instant.
func TestPoolClaims(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	runs := 100
	if testing.Short() {
		runs = 2
	}
	c := &count{calls: make([]int32, 20000), workers: 2}
	for r := range runs {
		p.Run(len(c.calls), c)
		for i, calls := range c.calls {
			if int(calls) != r+1 {
				t.Fatalf("run %d: part %d ran %d times", r, i, int(calls)-r)
			}
		}
	}
}

// TestPoolParallel needs all workers at once: each part waits for the others.
func TestPoolParallel(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	for range 20 {
		m := &meet{n: 3}
		p.Run(3, m)
		if m.seen.Load() != 7 {
			t.Fatalf("workers seen %b, want three", m.seen.Load())
		}
	}
}

type meet struct {
	n       int32
	arrived atomic.Int32
	seen    atomic.Int32
}

func (m *meet) Part(_, worker int) {
	m.arrived.Add(1)
	m.seen.Or(1 << worker)
	for tries := 0; m.arrived.Load() < m.n; tries++ {
		if tries > 1000 {
			runtime.Gosched()
		}
	}
}

func TestPoolClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		p := NewPool(4)
		p.Run(8, &count{calls: make([]int32, 8), workers: 4})
		p.Close()
	}
	after := runtime.NumGoroutine() // a goroutine that Close has waited for may still be on its last instructions
	for end := time.Now().Add(5 * time.Second); after > before && time.Now().Before(end); after = runtime.NumGoroutine() {
		time.Sleep(time.Millisecond)
	}
	if after > before {
		t.Errorf("%d goroutines before, %d after Close", before, after)
	}
}

func TestPoolAllocs(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	c := &count{calls: make([]int32, 4), workers: 2}
	if a := testing.AllocsPerRun(100, func() { p.Run(4, c) }); a != 0 {
		t.Errorf("Run allocates %v times", a)
	}
}

// BenchmarkPool is a hand-off to one other worker and back: the parts wait for each other.
func BenchmarkPool(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	m := &meet{n: 2}
	for b.Loop() {
		m.arrived.Store(0)
		p.Run(2, m)
	}
}

// BenchmarkPoolParked is the same where the other worker is parked at every run.
func BenchmarkPoolParked(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	m := &meet{n: 2}
	for b.Loop() {
		b.StopTimer()
		m.arrived.Store(0)
		time.Sleep(3 * spin)
		b.StartTimer()
		p.Run(2, m)
	}
}
