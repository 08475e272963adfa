package plan

// Poison makes a CPU fill the arena of activations with NaN before each run.
func Poison(x Executor) { x.(*cpu).poison = true }

// Span is the number of bytes from the first to the last element of a slot.
func (s *Slot) Span() int { return s.span() }
