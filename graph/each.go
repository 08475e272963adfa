package graph

// parted is work in independent parts: *A has it as a method.
type parted[A any] interface {
	*A
	part(i, worker int)
}

// eachPart is [Each] with a's method part for f. A function value made in a generic function (a method expression, say)
// is allocated at each call, as it carries the type arguments; a method called through a type parameter is not.
func eachPart[A any, P parted[A]](c *Ctx, n int, a A) {
	for _, r := range c.tasks {
		if t, ok := r.(*partedTask[A, P]); ok {
			t.arg = a
			c.Pool.Run(n, t)
			return
		}
	}
	t := &partedTask[A, P]{a}
	c.tasks = append(c.tasks, t)
	c.Pool.Run(n, t)
}

type partedTask[A any, P parted[A]] struct{ arg A }

// Part implements vec.Task.
func (t *partedTask[A, P]) Part(i, worker int) { P(&t.arg).part(i, worker) }
