package driver

import "slices"

// A capture records what streams are asked for while they are in it.
type capture struct {
	origin uint64
	nodes  []node
	tips   map[uint64][]int // by stream: the nodes that its next one comes after
	starts int              // launches among the nodes
	broken bool
}

// A node is one operation of a graph: run does it after others, by index.
type node struct {
	run   func() error
	after []int
}

// A graph is what a capture has recorded. It does not change any more.
type graph struct {
	nodes  []node
	starts int
	last   *job // of its last launch, where it can be launched
}

// add records an operation of a stream.
func (c *capture) add(id uint64, run func() error) {
	c.nodes = append(c.nodes, node{run, c.tips[id]})
	c.tips[id] = []int{len(c.nodes) - 1}
}

// unjoined is a stream of the capture on which the origin does not wait; 0 is none.
func (c *capture) unjoined() uint64 {
	reached := map[int]bool{}
	var reach func(list []int)
	reach = func(list []int) {
		for _, i := range list {
			if !reached[i] {
				reached[i] = true
				reach(c.nodes[i].after)
			}
		}
	}
	reach(c.tips[c.origin])
	for id, tips := range c.tips {
		if slices.ContainsFunc(tips, func(i int) bool { return !reached[i] }) {
			return id
		}
	}
	return 0
}

// breakCaptures ends all captures under way in an error.
func (d *Driver) breakCaptures() {
	for _, s := range d.streams {
		if s.capture != nil {
			s.capture.broken = true
		}
	}
}

// unsafeInCapture refuses a call that waits or allocates while a stream is captured.
func (d *Driver) unsafeInCapture(name string) Result {
	if d.capturing == 0 {
		return Success
	}
	d.breakCaptures()
	return d.refuse(CaptureUnsupported, "%s while a stream is captured", name)
}

// captureImplicit is CUDA_ERROR_STREAM_CAPTURE_IMPLICIT.
const captureImplicit Result = 906

// legacyInCapture refuses work of stream 0 that would wait for a stream that is captured.
func (d *Driver) legacyInCapture(id uint64, to *stream) Result {
	for other, s := range d.streams {
		if id == 0 && s != to && s.blocking && s.capture != nil {
			s.capture.broken = true
			return d.refuse(captureImplicit, "stream 0 would wait for stream %d, which is captured", other)
		}
	}
	return Success
}

// waitInCapture lets a stream of a capture wait for an event of it. A stream that is in none joins.
func (d *Driver) waitInCapture(id uint64, s *stream, e *event) Result {
	c := e.capture
	switch {
	case c == nil && e.last == nil:
		return Success
	case c == nil:
		s.capture.broken = true
		return d.refuse(CaptureIsolation, "stream %d is captured and waits for an event outside of the capture", id)
	case c.tips == nil:
		return d.refuse(InvalidValue, "stream %d waits for an event of a capture that has ended", id)
	case s.capture != nil && s.capture != c:
		s.capture.broken, c.broken = true, true
		return d.refuse(CaptureMerge, "stream %d waits for an event of another capture", id)
	case id == 0:
		c.broken = true
		return d.refuse(captureImplicit, "stream 0 cannot be captured")
	}
	s.capture = c
	for _, i := range e.nodes {
		if !slices.Contains(c.tips[id], i) {
			c.tips[id] = append(slices.Clone(c.tips[id]), i)
		}
	}
	return Success
}

// StreamBeginCapture is cuStreamBeginCapture. Calls that wait or allocate fail until the capture ends, in all modes.
func (d *Driver) StreamBeginCapture(id uint64, mode int) Result {
	if r := d.work("cuStreamBeginCapture", "stream", id, "mode", mode); r != Success {
		return r
	}
	s, ok := d.streams[id]
	switch {
	case !ok:
		return d.badHandle(id, "a stream")
	case id == 0:
		return d.refuse(CaptureUnsupported, "stream 0 cannot be captured")
	case s.capture != nil:
		return d.refuse(IllegalState, "stream %d is captured already", id)
	case mode < 0 || mode > 2:
		return d.refuse(InvalidValue, "mode %d of a capture", mode)
	}
	s.capture = &capture{origin: id, tips: map[uint64][]int{id: nil}}
	d.capturing++
	return Success
}

// StreamIsCapturing is cuStreamIsCapturing: 0 no, 1 yes, 2 the capture is broken.
func (d *Driver) StreamIsCapturing(id uint64) (int, Result) {
	if r := d.work("cuStreamIsCapturing", "stream", id); r != Success {
		return 0, r
	}
	s, ok := d.streams[id]
	switch {
	case !ok:
		return 0, d.badHandle(id, "a stream")
	case s.capture == nil:
		return 0, Success
	case s.capture.broken:
		return 2, Success
	}
	return 1, Success
}

// StreamEndCapture is cuStreamEndCapture.
func (d *Driver) StreamEndCapture(id uint64) (uint64, Result) {
	if r := d.work("cuStreamEndCapture", "stream", id); r != Success {
		return 0, r
	}
	s, ok := d.streams[id]
	switch {
	case !ok:
		return 0, d.badHandle(id, "a stream")
	case s.capture == nil:
		return 0, d.refuse(IllegalState, "stream %d is not captured", id)
	case s.capture.origin != id:
		s.capture.broken = true
		return 0, d.refuse(CaptureUnmatched, "the capture began in stream %d, not in %d", s.capture.origin, id)
	}
	c := s.capture
	other := c.unjoined()
	d.endCapture(c)
	switch {
	case c.broken:
		return 0, d.refuse(CaptureInvalidated, "a call failed or waited while stream %d was captured", id)
	case other != 0:
		return 0, d.refuse(CaptureUnjoined, "stream %d was captured with stream %d, which does not wait for it at the end", other, id)
	}
	h := d.handle()
	d.graphs[h] = &graph{nodes: c.nodes, starts: c.starts}
	return h, Success
}

// endCapture lets the streams of a capture go.
func (d *Driver) endCapture(c *capture) {
	for _, s := range d.streams {
		if s.capture == c {
			s.capture = nil
		}
	}
	c.tips = nil
	d.capturing--
}

// GraphGetNodes is cuGraphGetNodes: how many there are.
func (d *Driver) GraphGetNodes(h uint64) (int, Result) {
	if r := d.work("cuGraphGetNodes", "graph", h); r != Success {
		return 0, r
	}
	g, ok := d.graphs[h]
	if !ok {
		return 0, d.badHandle(h, "a graph")
	}
	return len(g.nodes), Success
}

// GraphInstantiate is cuGraphInstantiate.
func (d *Driver) GraphInstantiate(h uint64) (uint64, Result) {
	if r := d.work("cuGraphInstantiate", "graph", h); r != Success {
		return 0, r
	}
	g, ok := d.graphs[h]
	if !ok {
		return 0, d.badHandle(h, "a graph")
	}
	x := d.handle()
	d.executable[x] = &graph{nodes: g.nodes, starts: g.starts}
	return x, Success
}

// GraphLaunch is cuGraphLaunch. Each launch does all operations again, in an order that is drawn from those that the
// graph permits. All come after what is in the stream, and before what it is asked for next.
func (d *Driver) GraphLaunch(x, id uint64) Result {
	if r := d.work("cuGraphLaunch", "graph", x, "stream", id); r != Success {
		return r
	}
	g, ok := d.executable[x]
	if !ok {
		return d.badHandle(x, "a graph that can be launched")
	}
	s, ok := d.streams[id]
	if !ok {
		return d.badHandle(id, "a stream")
	}
	if s.capture != nil {
		s.capture.broken = true
		return d.refuse(CaptureUnsupported, "the stand-in does not capture the launch of a graph")
	}
	if r := d.start(g.starts, "a graph"); r != Success {
		return r
	}
	before := &job{}
	if g.last != nil {
		before.after = []*job{g.last} // one launch at a time
	}
	d.put(id, s, before)
	list := make([]*job, len(g.nodes))
	for i, n := range g.nodes {
		list[i] = &job{run: n.run, after: []*job{before}}
		for _, k := range n.after {
			list[i].after = append(list[i].after, list[k])
		}
	}
	d.loose = append(d.loose, list...)
	g.last = &job{after: list}
	d.put(id, s, g.last)
	return Success
}

// GraphDestroy is cuGraphDestroy.
func (d *Driver) GraphDestroy(h uint64) Result { return d.dropGraph("cuGraphDestroy", d.graphs, h) }

// GraphExecDestroy is cuGraphExecDestroy.
func (d *Driver) GraphExecDestroy(h uint64) Result {
	return d.dropGraph("cuGraphExecDestroy", d.executable, h)
}

func (d *Driver) dropGraph(name string, m map[uint64]*graph, h uint64) Result {
	if r := d.back(name, "graph", h); r != Success {
		return r
	}
	if _, ok := m[h]; !ok {
		return d.badHandle(h, "a graph")
	}
	delete(m, h)
	return Success
}
