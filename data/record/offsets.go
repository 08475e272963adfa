package record

// perBlock is the number of places that are stored relative to one.
const perBlock = 1 << 12

// offsets are ascending places in a file, in 4 bytes each unless records are very long.
type offsets struct {
	blocks []block
	n      int
}

// block holds up to perBlock places, as what they are behind base, in near or, where that does not fit, in far.
type block struct {
	base int64
	near []uint32
	far  []int64
}

// add appends a place.
func (o *offsets) add(at int64) {
	if o.n%perBlock == 0 {
		var near []uint32
		if o.n > 0 {
			near = make([]uint32, 0, perBlock)
		}
		o.blocks = append(o.blocks, block{base: at, near: near})
	}
	b := &o.blocks[o.n/perBlock]
	o.n++
	d := at - b.base
	if b.far == nil && d <= 1<<32-1 {
		b.near = append(b.near, uint32(d))
		return
	}
	if b.far == nil {
		for _, n := range b.near {
			b.far = append(b.far, int64(n))
		}
		b.near = nil
	}
	b.far = append(b.far, d)
}

// at returns place k.
func (o *offsets) at(k int) int64 {
	b := &o.blocks[k/perBlock]
	if b.far != nil {
		return b.base + b.far[k%perBlock]
	}
	return b.base + int64(b.near[k%perBlock])
}
