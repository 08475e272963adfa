package data

// Ragged is a Source whose batches have several shapes.
type Ragged interface {
	Source
	// Shape tells the number of examples of the next batch, which is up to size, and its fields. The number is 0 at the
	// end of a pass. Next wants a batch made for these.
	Shape(size int) (n int, fields []Field)
	// Largest is the shape of the largest batch of up to size.
	Largest(size int) (n int, fields []Field)
	// Batches is the number of batches of up to size of the first epochs.
	Batches(size, epochs int) int
}

// Shape is the shape of the next batch of any source: size examples of its fields, where it is not Ragged.
func Shape(s Source, size int) (n int, fields []Field) {
	if r, ok := s.(Ragged); ok {
		return r.Shape(size)
	}
	return size, s.Fields()
}

// Largest is the shape of the largest batch of any source.
func Largest(s Source, size int) (n int, fields []Field) {
	if r, ok := s.(Ragged); ok {
		return r.Largest(size)
	}
	return size, s.Fields()
}

// Batches is the number of batches of up to size in the first epochs of any source. An ordinary source joins epochs; a
// Ragged one ends each with a batch of what is left.
func Batches(s Source, size, epochs int) int {
	if r, ok := s.(Ragged); ok {
		return r.Batches(size, epochs)
	}
	return (epochs*s.Len() + size - 1) / size
}
