package driver

import (
	"slices"

	"github.com/ceto-ml/ceto/cuda/emu"
)

// A stream is work that was asked for and is not done yet. Stream 0 is always there.
type stream struct{ queue []job }

// A job is one piece of work: run does it. It cannot begin before mark, the record of an event, is done.
type job struct {
	run  func() error
	wait *mark
}

// A mark is one record of an event.
type mark struct {
	done bool
	at   float64
}

// An event is known by its last record.
type event struct{ last *mark }

// add puts work into a stream.
func (d *Driver) add(id uint64, j job) Result {
	s, ok := d.streams[id]
	if !ok {
		return InvalidHandle
	}
	s.queue = append(s.queue, j)
	return Success
}

// drain does work until done says that it is enough; nil means all. The stream that is served next is drawn from those
// that can go on.
func (d *Driver) drain(done func() bool) Result {
	for done == nil || !done() {
		var ready []uint64
		for id, s := range d.streams {
			if len(s.queue) > 0 && (s.queue[0].wait == nil || s.queue[0].wait.done) {
				ready = append(ready, id)
			}
		}
		if len(ready) == 0 {
			break
		}
		slices.Sort(ready)
		s := d.streams[ready[d.order.IntN(len(ready))]]
		j := s.queue[0]
		s.queue = s.queue[1:]
		if j.run == nil || d.sticky != Success {
			continue
		}
		if err := j.run(); err != nil {
			d.failed(err)
		}
	}
	return d.sticky
}

// StreamCreate is cuStreamCreate.
func (d *Driver) StreamCreate() (uint64, Result) {
	if r := d.begin("cuStreamCreate"); r != Success {
		return 0, r
	}
	h := d.handle()
	d.streams[h] = &stream{}
	return h, Success
}

// StreamDestroy is cuStreamDestroy: what is in the stream is still done.
func (d *Driver) StreamDestroy(id uint64) Result {
	if r := d.begin("cuStreamDestroy", id); r != Success {
		return r
	}
	s, ok := d.streams[id]
	if !ok || id == 0 {
		return InvalidHandle
	}
	d.drain(func() bool { return len(s.queue) == 0 })
	delete(d.streams, id)
	return Success
}

// StreamSynchronize is cuStreamSynchronize.
func (d *Driver) StreamSynchronize(id uint64) Result {
	if r := d.work("cuStreamSynchronize", id); r != Success {
		return r
	}
	s, ok := d.streams[id]
	if !ok {
		return InvalidHandle
	}
	return d.drain(func() bool { return len(s.queue) == 0 })
}

// StreamWaitEvent is cuStreamWaitEvent. An event that was not recorded is not waited for.
func (d *Driver) StreamWaitEvent(id, e uint64) Result {
	if r := d.work("cuStreamWaitEvent", id, e); r != Success {
		return r
	}
	ev, ok := d.events[e]
	if !ok {
		return InvalidHandle
	}
	if ev.last == nil {
		return Success
	}
	return d.add(id, job{wait: ev.last})
}

// Synchronize is cuCtxSynchronize.
func (d *Driver) Synchronize() Result {
	if r := d.work("cuCtxSynchronize"); r != Success {
		return r
	}
	return d.drain(nil)
}

// EventCreate is cuEventCreate.
func (d *Driver) EventCreate() (uint64, Result) {
	if r := d.begin("cuEventCreate"); r != Success {
		return 0, r
	}
	h := d.handle()
	d.events[h] = &event{}
	return h, Success
}

// EventDestroy is cuEventDestroy.
func (d *Driver) EventDestroy(e uint64) Result {
	if r := d.begin("cuEventDestroy", e); r != Success {
		return r
	}
	if _, ok := d.events[e]; !ok {
		return InvalidHandle
	}
	delete(d.events, e)
	return Success
}

// EventRecord is cuEventRecord.
func (d *Driver) EventRecord(e, id uint64) Result {
	if r := d.work("cuEventRecord", e, id); r != Success {
		return r
	}
	ev, ok := d.events[e]
	if !ok {
		return InvalidHandle
	}
	m := &mark{}
	ev.last = m
	return d.add(id, job{run: func() error {
		m.done, m.at = true, d.now
		return nil
	}})
}

// EventQuery is cuEventQuery.
func (d *Driver) EventQuery(e uint64) Result {
	if r := d.work("cuEventQuery", e); r != Success {
		return r
	}
	ev, ok := d.events[e]
	switch {
	case !ok:
		return InvalidHandle
	case ev.last != nil && !ev.last.done:
		return NotReady
	}
	return Success
}

// EventSynchronize is cuEventSynchronize.
func (d *Driver) EventSynchronize(e uint64) Result {
	if r := d.work("cuEventSynchronize", e); r != Success {
		return r
	}
	ev, ok := d.events[e]
	if !ok {
		return InvalidHandle
	}
	if ev.last == nil {
		return Success
	}
	return d.drain(func() bool { return ev.last.done })
}

// EventElapsedTime is cuEventElapsedTime, in milliseconds: the emulated GPU takes a nanosecond for an instruction of a
// warp.
func (d *Driver) EventElapsedTime(from, to uint64) (float64, Result) {
	if r := d.work("cuEventElapsedTime", from, to); r != Success {
		return 0, r
	}
	a, b := d.events[from], d.events[to]
	switch {
	case a == nil || b == nil || a.last == nil || b.last == nil:
		return 0, InvalidHandle
	case !a.last.done || !b.last.done:
		return 0, NotReady
	}
	return b.last.at - a.last.at, Success
}

// copied asks for a copy on a stream. A copy that is not asynchronous is done when the call returns, and all work that
// was asked for before it.
func (d *Driver) copied(name string, id uint64, async bool, n int, f func() error) Result {
	if r := d.work(name, n); r != Success {
		return r
	}
	if r := d.add(id, job{run: f}); r != Success || async {
		return r
	}
	return d.drain(nil)
}

// CopyHtoD is cuMemcpyHtoD, and cuMemcpyHtoDAsync where async. The host's memory is read when the copy runs.
func (d *Driver) CopyHtoD(to emu.Ptr, from []byte, id uint64, async bool) Result {
	return d.copied(asyncName("cuMemcpyHtoD", async), id, async, len(from), func() error { return d.dev.Write(to, from) })
}

// CopyDtoH is cuMemcpyDtoH, and cuMemcpyDtoHAsync where async. The host's memory is written when the copy runs.
func (d *Driver) CopyDtoH(to []byte, from emu.Ptr, id uint64, async bool) Result {
	return d.copied(asyncName("cuMemcpyDtoH", async), id, async, len(to), func() error { return d.dev.Read(to, from) })
}

// CopyDtoD is cuMemcpyDtoD, and cuMemcpyDtoDAsync where async.
func (d *Driver) CopyDtoD(to, from emu.Ptr, n int, id uint64, async bool) Result {
	return d.copied(asyncName("cuMemcpyDtoD", async), id, async, n, func() error { return d.dev.Copy(to, from, n) })
}

// MemsetD32 is cuMemsetD32, and cuMemsetD32Async where async, of n words.
func (d *Driver) MemsetD32(to emu.Ptr, word uint32, n int, id uint64, async bool) Result {
	return d.copied(asyncName("cuMemsetD32", async), id, async, 4*n, func() error { return d.dev.Fill(to, word, n) })
}

func asyncName(name string, async bool) string {
	if async {
		return name + "Async"
	}
	return name
}
