package token

// A merger joins the tokens of one piece. Its slices are scratch that grows to the longest piece seen.
type merger struct {
	ids   []int32  // tokens; in merge2, holes where a token was joined to the one before
	best  []uint64 // the merge of ids[i] with the token after it; noPair for none
	prev  []int32
	next  []int32
	queue []uint64 // a binary heap of rank<<32 | place
}

// longPiece is the number of tokens from which a heap is faster than looking for the smallest each time.
const longPiece = 64

// shrink gives back the memory of a piece of a size that seldom comes.
func (m *merger) shrink() {
	if cap(m.ids) > 1<<16 {
		*m = merger{}
	}
}

// merge joins m.ids by the table until no pair of neighbours is in it. The pair of the lowest rank comes first, the
// leftmost where ranks are equal. The result is in m.ids.
func (m *merger) merge(p *pairs) {
	if len(m.ids) < longPiece {
		m.scan(p)
	} else {
		m.heap(p)
	}
}

// scan takes O(n²) time for n tokens.
func (m *merger) scan(p *pairs) {
	ids, best := m.ids, m.best[:0]
	for i := 1; i < len(ids); i++ {
		best = append(best, p.get(ids[i-1], ids[i]))
	}
	for len(best) > 0 {
		at := 0
		for i, merge := range best {
			if merge>>32 < best[at]>>32 {
				at = i
			}
		}
		if best[at] == noPair {
			break
		}
		ids[at] = int32(uint32(best[at]))
		ids = append(ids[:at+1], ids[at+2:]...)
		best = append(best[:at], best[at+1:]...)
		if at > 0 {
			best[at-1] = p.get(ids[at-1], ids[at])
		}
		if at < len(best) {
			best[at] = p.get(ids[at], ids[at+1])
		}
	}
	m.ids, m.best = ids, best
}

// heap takes O(n log n) time: each merge adds at most two pairs to the queue. The tokens of a pair in the queue may
// since have been joined to others. Its rank, which is then not the one of its place, tells.
func (m *merger) heap(p *pairs) {
	n := len(m.ids)
	m.best, m.prev, m.next, m.queue = m.best[:0], m.prev[:0], m.next[:0], m.queue[:0]
	for i := range n {
		m.best = append(m.best, noPair)
		m.prev = append(m.prev, int32(i-1))
		m.next = append(m.next, int32(i+1))
		if i > 0 {
			m.look(p, i-1, i)
		}
	}
	for len(m.queue) > 0 {
		top := m.pop()
		at := int(uint32(top))
		merge := m.best[at]
		if merge == noPair || merge>>32 != top>>32 {
			continue
		}
		gone := int(m.next[at])
		after := int(m.next[gone])
		m.ids[at] = int32(uint32(merge))
		m.ids[gone], m.best[gone], m.best[at] = -1, noPair, noPair
		m.next[at] = int32(after)
		if after < n {
			m.prev[after] = int32(at)
			m.look(p, at, after)
		}
		if before := int(m.prev[at]); before >= 0 {
			m.look(p, before, at)
		}
	}
	kept := m.ids[:0]
	for _, id := range m.ids {
		if id >= 0 {
			kept = append(kept, id)
		}
	}
	m.ids = kept
}

// look notes the merge of the neighbours at places i and j.
func (m *merger) look(p *pairs, i, j int) {
	m.best[i] = p.get(m.ids[i], m.ids[j])
	if m.best[i] != noPair {
		m.push(m.best[i]>>32<<32 | uint64(i))
	}
}

func (m *merger) push(x uint64) {
	q := append(m.queue, x)
	i := len(q) - 1
	for i > 0 && q[(i-1)/2] > x {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i] = x
	m.queue = q
}

func (m *merger) pop() uint64 {
	q := m.queue
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1] < q[child] {
			child++
		}
		if q[child] >= last {
			break
		}
		q[i] = q[child]
		i = child
	}
	if len(q) > 0 {
		q[i] = last
	}
	m.queue = q
	return top
}
