package driver

import (
	"maps"
	"slices"
)

// A stream is work that was asked for and is not done yet. Stream 0 is always there.
type stream struct {
	queue    []*job
	last     *job // that was asked for
	n        int  // jobs so far
	blocking bool // waits for stream 0, and stream 0 for it
	asked    int  // queries since the host waited for it last
	capture  *capture
}

func (s *stream) lastClock() clock {
	if s.last == nil {
		return nil
	}
	return s.last.clock
}

// A job is one piece of work: run does it, nil is none. It begins when those before it in its stream are done, and
// those after which it comes.
type job struct {
	run   func() error
	after []*job
	done  bool
	at    float64 // the device's time when it was done
	asked int     // queries of an event that the job records
	clock clock
}

// A clock tells for each stream how many of its jobs are certain to be done before something.
type clock map[uint64]int

func (c clock) merge(o clock) {
	for id, n := range o {
		c[id] = max(c[id], n)
	}
}

func (j *job) ready() bool {
	return !slices.ContainsFunc(j.after, func(o *job) bool { return !o.done })
}

// put puts a job into a stream. What the host has waited for is done before it, and so is what it is after.
func (d *Driver) put(id uint64, s *stream, j *job) {
	if id == 0 {
		for _, o := range d.streams {
			if o != s && o.blocking && o.last != nil {
				j.after = append(j.after, o.last)
			}
		}
	} else if s.blocking && d.streams[0].last != nil {
		j.after = append(j.after, d.streams[0].last)
	}
	j.clock = maps.Clone(d.host)
	j.clock.merge(s.lastClock())
	for _, o := range j.after {
		j.clock.merge(o.clock)
	}
	j.after = slices.DeleteFunc(j.after, func(o *job) bool { return o.done })
	s.n++
	j.clock[id] = s.n
	s.queue = append(s.queue, j)
	s.last = j
}

// add puts work into a stream, or into the graph that the stream is captured for.
func (d *Driver) add(id uint64, run func() error) (*job, Result) {
	s, ok := d.streams[id]
	if !ok {
		return nil, d.badHandle(id, "a stream")
	}
	if s.capture != nil {
		s.capture.add(id, run)
		return nil, Success
	}
	if r := d.legacyInCapture(id, s); r != Success {
		return nil, r
	}
	j := &job{run: run}
	d.put(id, s, j)
	return j, Success
}

// A place is where a job waits: at the head of a stream, or in the list of work of graphs.
type place struct {
	s *stream // nil: loose
	i int     // in the list
}

// ready are the places of jobs that can go on.
func (d *Driver) ready() []place {
	var list []place
	for _, id := range slices.Sorted(maps.Keys(d.streams)) {
		if s := d.streams[id]; len(s.queue) > 0 && s.queue[0].ready() {
			list = append(list, place{s: s})
		}
	}
	for i, j := range d.loose {
		if j.ready() {
			list = append(list, place{i: i})
		}
	}
	return list
}

// take takes the job at a place away.
func (d *Driver) take(p place) *job {
	if p.s == nil {
		j := d.loose[p.i]
		d.loose = slices.Delete(d.loose, p.i, p.i+1)
		return j
	}
	j := p.s.queue[0]
	p.s.queue = p.s.queue[1:]
	return j
}

// step does one piece of work, drawn from those that can go on; false where there is none.
func (d *Driver) step() bool {
	list := d.ready()
	if len(list) == 0 {
		return false
	}
	j := d.take(list[d.order.IntN(len(list))])
	if j.run != nil && d.sticky == Success {
		if err := j.run(); err != nil {
			d.failed(err)
		}
	}
	j.done, j.at, j.run, j.after = true, d.now, nil, nil
	return true
}

// waitsForEachOther tells whether one of two streams is stream 0, for which the other waits and which waits for it.
func (d *Driver) waitsForEachOther(a, b uint64) bool {
	if a != 0 && b != 0 {
		return false
	}
	s := d.streams[a+b]
	return s != nil && s.blocking
}

// all does all work. The host knows then that it is done.
func (d *Driver) all() Result {
	r := d.drain(nil)
	d.host.merge(d.gone)
	for _, s := range d.streams {
		d.host.merge(s.lastClock())
	}
	return r
}

// drain does work until done says that it is enough; nil means all.
func (d *Driver) drain(done func() bool) Result {
	for done == nil || !done() {
		if !d.step() {
			break
		}
	}
	return d.sticky
}

// waitFor does work until a job is done. The host knows then what was done before it.
func (d *Driver) waitFor(j *job) Result {
	if j == nil {
		return d.sticky
	}
	r := d.drain(func() bool { return j.done })
	d.host.merge(j.clock)
	return r
}

// query tells whether a job is done. Whoever asks again and again sees it done at last: each time after the first, some
// work goes on.
func (d *Driver) query(j *job, asked *int) Result {
	if j == nil || j.done {
		if j != nil {
			d.host.merge(j.clock)
		}
		return d.sticky
	}
	if *asked++; *asked > 1 {
		d.step()
	}
	switch {
	case d.sticky != Success:
		return d.sticky
	case !j.done:
		return NotReady
	}
	d.host.merge(j.clock)
	return Success
}
