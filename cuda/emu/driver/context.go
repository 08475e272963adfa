package driver

// contexts are the primary context, and which threads have it. Until a caller says who it is, it has the context.
type contexts struct {
	primary uint64 // handle; 0: none yet
	users   int
	thread  uint64
	known   bool                // callers say who they are
	stacks  map[uint64][]uint64 // of handles, by thread; the last is current
}

func newContexts() contexts { return contexts{stacks: map[uint64][]uint64{}} }

// check refuses a call of a thread that has no context, or one that is gone.
func (c *contexts) check(d *Driver) Result {
	if !c.known {
		return Success
	}
	now := c.current()
	if now == 0 {
		return d.refuse(InvalidContext, "thread %d has no current context", c.thread)
	}
	if now != c.primary || c.users == 0 {
		return d.refuse(InvalidContext, "the context of thread %d was released", c.thread)
	}
	return Success
}

func (c *contexts) current() uint64 {
	if s := c.stacks[c.thread]; len(s) > 0 {
		return s[len(s)-1]
	}
	return 0
}

// Thread says which thread calls from here on. From the first such call on, what needs a context fails on a thread that
// has none, as it does on hardware.
func (d *Driver) Thread(id uint64) { d.contexts.thread, d.contexts.known = id, true }

// PrimaryCtxRetain is cuDevicePrimaryCtxRetain.
func (d *Driver) PrimaryCtxRetain(device int) (uint64, Result) {
	if r := d.about("cuDevicePrimaryCtxRetain", device); r != Success {
		return 0, r
	}
	if d.sticky != Success {
		return 0, d.sticky
	}
	c := &d.contexts
	if c.users++; c.users == 1 {
		c.primary = d.handle()
	}
	return c.primary, Success
}

// PrimaryCtxRelease is cuDevicePrimaryCtxRelease. Memory that was not freed stays, so that a report can tell of it.
func (d *Driver) PrimaryCtxRelease(device int) Result {
	if r := d.about("cuDevicePrimaryCtxRelease", device); r != Success {
		return r
	}
	if d.contexts.users == 0 {
		return d.refuse(InvalidContext, "the primary context is released once more than it was retained")
	}
	d.all()
	d.contexts.users--
	return Success
}

// PrimaryCtxState is cuDevicePrimaryCtxGetState.
func (d *Driver) PrimaryCtxState(device int) (active bool, r Result) {
	return d.contexts.users > 0, d.about("cuDevicePrimaryCtxGetState", device)
}

// CtxSetCurrent is cuCtxSetCurrent. 0 takes the context from the thread.
func (d *Driver) CtxSetCurrent(ctx uint64) Result {
	if r := d.named("cuCtxSetCurrent", ctx); r != Success {
		return r
	}
	c := &d.contexts
	if s := c.stacks[c.thread]; len(s) > 0 {
		c.stacks[c.thread] = s[:len(s)-1]
	}
	if ctx != 0 {
		c.stacks[c.thread] = append(c.stacks[c.thread], ctx)
	}
	return Success
}

// CtxGetCurrent is cuCtxGetCurrent: 0 where the thread has no context.
func (d *Driver) CtxGetCurrent() (uint64, Result) {
	r := d.begin("cuCtxGetCurrent")
	return d.contexts.current(), r
}

// CtxPushCurrent is cuCtxPushCurrent.
func (d *Driver) CtxPushCurrent(ctx uint64) Result {
	r := d.named("cuCtxPushCurrent", ctx)
	if r == Success && ctx == 0 {
		r = d.refuse(InvalidContext, "0 is no context")
	}
	if r == Success {
		c := &d.contexts
		c.stacks[c.thread] = append(c.stacks[c.thread], ctx)
	}
	return r
}

// CtxPopCurrent is cuCtxPopCurrent. It returns the context that was current.
func (d *Driver) CtxPopCurrent() (uint64, Result) {
	if r := d.begin("cuCtxPopCurrent"); r != Success {
		return 0, r
	}
	c := &d.contexts
	now := c.current()
	if now == 0 {
		return 0, d.refuse(InvalidContext, "thread %d has no context", c.thread)
	}
	c.stacks[c.thread] = c.stacks[c.thread][:len(c.stacks[c.thread])-1]
	return now, Success
}

// CtxGetDevice is cuCtxGetDevice.
func (d *Driver) CtxGetDevice() (int, Result) { return 0, d.back("cuCtxGetDevice") }

// Synchronize is cuCtxSynchronize.
func (d *Driver) Synchronize() Result {
	if r := d.work("cuCtxSynchronize"); r != Success {
		return r
	}
	if r := d.unsafeInCapture("cuCtxSynchronize"); r != Success {
		return r
	}
	return d.all()
}

// named begins a call with the handle of a context.
func (d *Driver) named(name string, ctx uint64) Result {
	r := d.begin(name, "context", ctx)
	if c := &d.contexts; r == Success && ctx != 0 && (ctx != c.primary || c.users == 0) {
		return d.refuse(InvalidContext, "%d is no context", ctx)
	}
	return r
}
