package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// signals ends the program at Ctrl-C and SIGTERM: at once, unless a command has asked for time to end its work whole.
// The second signal ends it at once all the same.
type signals struct {
	exit   func(code int) // os.Exit
	cancel context.CancelFunc

	mu   sync.Mutex
	held bool        // the command ends by itself when its context is done
	came bool        // a first signal has come
	took func() bool // tells whether the command has dealt with a Ctrl-C; nil: no
}

// patience is how long a command may take to end, once its work is whole.
const patience = time.Second

// listen begins to watch for signals. The first one ends the context that it returns.
func (s *signals) listen(ctx context.Context) context.Context {
	s.exit = os.Exit
	ctx, s.cancel = context.WithCancel(ctx)
	signal.Ignore(syscall.SIGPIPE) // so that a write to a pipe that nobody reads is an error like any other
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		for sig := range c {
			s.arrive(sig)
		}
	}()
	return ctx
}

// arrive acts on a signal.
func (s *signals) arrive(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sig == os.Interrupt && s.took != nil && s.took() {
		return
	}
	if s.came || !s.held {
		s.exit(exitStopped)
	}
	s.came = true
	s.cancel()
}

// hold says that from now on the command ends by itself, when its context is done. release takes that back: after a
// signal the command then has a little time to say how it ended.
func (s *signals) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held = false; s.came {
			time.AfterFunc(patience, func() { s.exit(exitStopped) })
		}
	}
}

// onInterrupt has took called at each Ctrl-C, until undo is called. Where it returns false, the signal acts as usual.
func (s *signals) onInterrupt(took func() bool) (undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = took
	return func() { s.onInterrupt(nil) }
}

// stopped tells whether a signal has come.
func (s *signals) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
}
