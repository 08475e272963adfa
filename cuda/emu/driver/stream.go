package driver

// nonBlocking is CU_STREAM_NON_BLOCKING: a stream that does not wait for stream 0, nor stream 0 for it.
const nonBlocking = 1

// StreamCreate is cuStreamCreate of a stream that does not wait for stream 0.
func (d *Driver) StreamCreate() (uint64, Result) { return d.StreamCreateWithFlags(nonBlocking) }

// StreamCreateWithFlags is cuStreamCreate.
func (d *Driver) StreamCreateWithFlags(flags uint32) (uint64, Result) {
	return d.newStream("cuStreamCreate", flags)
}

// The priorities of streams: a lower number is served first on hardware. The emulated GPU draws all the same.
const (
	LeastPriority    = 0
	GreatestPriority = -5
)

// StreamPriorityRange is cuCtxGetStreamPriorityRange.
func (d *Driver) StreamPriorityRange() (least, greatest int, r Result) {
	return LeastPriority, GreatestPriority, d.work("cuCtxGetStreamPriorityRange")
}

// StreamCreateWithPriority is cuStreamCreateWithPriority. As there, a priority outside the range is moved into it.
func (d *Driver) StreamCreateWithPriority(flags uint32, priority int) (uint64, Result) {
	return d.newStream("cuStreamCreateWithPriority", flags, "priority", priority)
}

func (d *Driver) newStream(name string, flags uint32, args ...any) (uint64, Result) {
	if r := d.work(name, append([]any{"flags", flags}, args...)...); r != Success {
		return 0, r
	}
	if flags&^nonBlocking != 0 {
		return 0, d.refuse(InvalidValue, "flags %#x of a stream", flags)
	}
	h := d.handle()
	d.streams[h] = &stream{blocking: flags&nonBlocking == 0}
	return h, Success
}

// stream finds a stream whose work may be waited for: not while it is captured.
func (d *Driver) stream(id uint64) (*stream, Result) {
	s, ok := d.streams[id]
	if !ok {
		return nil, d.badHandle(id, "a stream")
	}
	if s.capture != nil {
		s.capture.broken = true
		return nil, d.refuse(CaptureUnsupported, "stream %d is captured: it cannot be waited for", id)
	}
	return s, Success
}

// StreamDestroy is cuStreamDestroy: what is in the stream is still done.
func (d *Driver) StreamDestroy(id uint64) Result {
	if r := d.back("cuStreamDestroy", "stream", id); r != Success {
		return r
	}
	if id == 0 {
		return d.badHandle(id, "a stream that can be destroyed")
	}
	s, r := d.stream(id)
	if r != Success {
		return r
	}
	d.drain(func() bool { return len(s.queue) == 0 })
	d.gone.merge(s.lastClock())
	delete(d.streams, id)
	return Success
}

// StreamSynchronize is cuStreamSynchronize.
func (d *Driver) StreamSynchronize(id uint64) Result {
	if r := d.work("cuStreamSynchronize", "stream", id); r != Success {
		return r
	}
	s, r := d.stream(id)
	if r != Success {
		return r
	}
	s.asked = 0
	return d.waitFor(s.last)
}

// StreamQuery is cuStreamQuery.
func (d *Driver) StreamQuery(id uint64) Result {
	if r := d.work("cuStreamQuery", "stream", id); r != Success {
		return r
	}
	s, r := d.stream(id)
	if r != Success {
		return r
	}
	return d.query(s.last, &s.asked)
}

// StreamWaitEvent is cuStreamWaitEvent. An event that was not recorded is not waited for.
func (d *Driver) StreamWaitEvent(id, e uint64) Result {
	if r := d.work("cuStreamWaitEvent", "stream", id, "event", e); r != Success {
		return r
	}
	ev, ok := d.events[e]
	if !ok {
		return d.badHandle(e, "an event")
	}
	s, ok := d.streams[id]
	switch {
	case !ok:
		return d.badHandle(id, "a stream")
	case ev.capture != nil || s.capture != nil:
		return d.waitInCapture(id, s, ev)
	case ev.last == nil:
		return Success
	}
	d.put(id, s, &job{after: []*job{ev.last}})
	return Success
}

// An event is known by its last record: a job, or a place in a graph.
type event struct {
	last    *job
	capture *capture
	nodes   []int
	untimed bool
}

// The flags of events.
const (
	blockingSync  = 1
	disableTiming = 2
)

// EventCreate is cuEventCreate of an event with a time.
func (d *Driver) EventCreate() (uint64, Result) { return d.EventCreateWithFlags(0) }

// EventCreateWithFlags is cuEventCreate.
func (d *Driver) EventCreateWithFlags(flags uint32) (uint64, Result) {
	if r := d.work("cuEventCreate", "flags", flags); r != Success {
		return 0, r
	}
	if flags&^(blockingSync|disableTiming) != 0 {
		return 0, d.refuse(InvalidValue, "flags %#x of an event", flags)
	}
	h := d.handle()
	d.events[h] = &event{untimed: flags&disableTiming != 0}
	return h, Success
}

// EventDestroy is cuEventDestroy.
func (d *Driver) EventDestroy(e uint64) Result {
	if r := d.back("cuEventDestroy", "event", e); r != Success {
		return r
	}
	if _, ok := d.events[e]; !ok {
		return d.badHandle(e, "an event")
	}
	delete(d.events, e)
	return Success
}

// EventRecord is cuEventRecord.
func (d *Driver) EventRecord(e, id uint64) Result {
	if r := d.work("cuEventRecord", "event", e, "stream", id); r != Success {
		return r
	}
	ev, ok := d.events[e]
	if !ok {
		return d.badHandle(e, "an event")
	}
	if s := d.streams[id]; s != nil && s.capture != nil {
		ev.last, ev.capture, ev.nodes = nil, s.capture, s.capture.tips[id]
		return Success
	}
	j, r := d.add(id, nil)
	if r == Success {
		ev.last, ev.capture, ev.nodes = j, nil, nil
	}
	return r
}

// event finds an event that is no part of a graph.
func (d *Driver) event(e uint64) (*event, Result) {
	ev, ok := d.events[e]
	if !ok {
		return nil, d.badHandle(e, "an event")
	}
	if ev.capture != nil {
		return nil, d.refuse(CapturedEvent, "event %d was recorded in a stream that is captured", e)
	}
	return ev, Success
}

// EventQuery is cuEventQuery.
func (d *Driver) EventQuery(e uint64) Result {
	if r := d.work("cuEventQuery", "event", e); r != Success {
		return r
	}
	ev, r := d.event(e)
	if r != Success || ev.last == nil {
		return r
	}
	return d.query(ev.last, &ev.last.asked)
}

// EventSynchronize is cuEventSynchronize.
func (d *Driver) EventSynchronize(e uint64) Result {
	if r := d.work("cuEventSynchronize", "event", e); r != Success {
		return r
	}
	ev, r := d.event(e)
	if r != Success {
		return r
	}
	return d.waitFor(ev.last)
}

// EventElapsedTime is cuEventElapsedTime, in milliseconds: the emulated GPU takes a nanosecond for an instruction of a
// warp.
func (d *Driver) EventElapsedTime(from, to uint64) (float64, Result) {
	if r := d.work("cuEventElapsedTime", "from", from, "to", to); r != Success {
		return 0, r
	}
	var at [2]float64
	for i, e := range []uint64{from, to} {
		ev, r := d.event(e)
		switch {
		case r != Success:
			return 0, r
		case ev.last == nil || ev.untimed:
			return 0, d.refuse(InvalidHandle, "event %d has no time", e)
		case !ev.last.done:
			return 0, NotReady
		}
		at[i] = ev.last.at
	}
	return at[1] - at[0], Success
}
