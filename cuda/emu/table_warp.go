package emu

import (
	"math/bits"
)

// warpRows are operations between the lanes of a warp.
func warpRows() map[string]opcode {
	return map[string]opcode{
		"shfl.b32":       {"sync up down bfly idx", shuffle},
		"vote.pred":      {"sync all any uni", vote},
		"vote.b32":       {"sync ballot", ballot},
		"match.b32":      {"sync any all", match},
		"match.b64":      {"sync any all", match},
		"redux.s32":      {"sync add min max", redux(func(a, b uint64) uint64 { return uint64(uint32(min(int32(a), int32(b)))) }, func(a, b uint64) uint64 { return uint64(uint32(max(int32(a), int32(b)))) })},
		"redux.u32":      {"sync add min max", redux(func(a, b uint64) uint64 { return min(a, b) }, func(a, b uint64) uint64 { return max(a, b) })},
		"redux.b32":      {"sync and or xor", redux(nil, nil)},
		"activemask.b32": {"", activemask},
		"elect":          {"sync", elect},
	}
}

// members checks that the lanes of a mask, and no others, run the instruction together. The mask is in a register.
func (w *warp) members(in *inst, on uint32, mask int32) bool {
	lane := bits.TrailingZeros32(on)
	m := uint32(w.r[mask][lane])
	if extra := on &^ m; extra != 0 {
		w.fault(in, bits.TrailingZeros32(extra), Divergent, "lanes %#x run this, the mask has %#x", on, m)
		return false
	}
	return w.converged(in, on, m)
}

// member decodes the mask, which is the last operand.
func (d *decoder) member() (int32, error) {
	if !d.has("sync") || len(d.s.args) == 0 {
		return 0, d.errorf("%s: want .sync and a mask", d.s.op)
	}
	return d.src(d.s.args[len(d.s.args)-1], "b32")
}

// shuffle decodes shfl.sync.
func shuffle(d *decoder, in *inst) (err error) {
	if err = d.want(5); err != nil {
		return err
	}
	mask, err := d.member()
	if err != nil {
		return err
	}
	p := int32(-1)
	first := d.s.args[0]
	if first.second != "" {
		if p, err = d.predicate(operand{name: first.second}); err != nil {
			return err
		}
		first.second = ""
	}
	if in.d, err = d.dst(first); err != nil {
		return err
	}
	for i, to := range []*int32{&in.a, &in.b, &in.c} {
		if *to, err = d.src(d.s.args[i+1], "b32"); err != nil {
			return err
		}
	}
	way := d.mods[len(d.mods)-1]
	if way == "sync" {
		return d.errorf("%s: want .up, .down, .bfly or .idx", d.s.op)
	}
	source := map[string]func(lane, n, segment, clamp int) (from int, ok bool){
		"up": shuffleUp, "down": shuffleDown, "bfly": shuffleXor, "idx": shuffleTo,
	}[way]
	in.do = func(w *warp, in *inst, on uint32) {
		if w.members(in, on, mask) {
			w.shuffle(in, on, p, source)
		}
	}
	return nil
}

// The ways of a shuffle: the lane that the value comes from, and whether it lies in the lane's segment.
func shuffleUp(i, n, segment, clamp int) (int, bool)   { return i - n, i-n >= i&segment|clamp&^segment }
func shuffleDown(i, n, segment, clamp int) (int, bool) { return i + n, i+n <= i&segment|clamp&^segment }
func shuffleXor(i, n, segment, clamp int) (int, bool)  { return i ^ n, i^n <= i&segment|clamp&^segment }
func shuffleTo(i, n, segment, clamp int) (int, bool) {
	j := i&segment | n&^segment
	return j, j <= i&segment|clamp&^segment
}

func (w *warp) shuffle(in *inst, on uint32, p int32, source func(lane, n, segment, clamp int) (int, bool)) {
	a, b, c := &w.r[in.a], &w.r[in.b], &w.r[in.c]
	var good uint32
	for i := range w.tmp {
		j, ok := source(i, int(b[i]&31), int(c[i]>>8&31), int(c[i]&31))
		if ok {
			good |= 1 << i
		} else {
			j = i
		}
		if on != full && on>>i&1 != 0 && on>>(j&31)&1 == 0 && w.block.run.checked {
			w.fault(in, i, Divergent, "lane %d takes the value of lane %d, which does not take part", i, j)
			return
		}
		w.tmp[i] = a[j&31]
	}
	w.set(in.d, &w.tmp, on)
	if p >= 0 {
		w.p[p] = w.p[p]&^on | good&on
	}
}

// vote decodes vote.sync to a predicate.
func vote(d *decoder, in *inst) error {
	return d.voting(in, true, func(yes, on uint32, way string) uint32 {
		switch {
		case way == "all" && yes == on, way == "any" && yes != 0, way == "uni" && (yes == on || yes == 0):
			return full
		}
		return 0
	})
}

// ballot decodes vote.sync.ballot.
func ballot(d *decoder, in *inst) error {
	return d.voting(in, false, func(yes, _ uint32, _ string) uint32 { return yes })
}

func (d *decoder) voting(in *inst, predicate bool, f func(yes, on uint32, way string) uint32) (err error) {
	if err = d.want(3); err != nil {
		return err
	}
	mask, err := d.member()
	if err != nil {
		return err
	}
	if predicate {
		in.d, err = d.predicate(d.s.args[0])
	} else {
		in.d, err = d.dst(d.s.args[0])
	}
	if err != nil {
		return err
	}
	if in.a, err = d.predicateSource(d.s.args[1]); err != nil {
		return err
	}
	if d.s.args[1].not {
		in.negate = 1
	}
	way := d.mods[len(d.mods)-1]
	in.do = func(w *warp, in *inst, on uint32) {
		if !w.members(in, on, mask) {
			return
		}
		v := f(w.pred(in.a, in.negate)&on, on, way)
		if predicate {
			w.p[in.d] = w.p[in.d]&^on | v&on
		} else {
			w.set(in.d, w.broadcast(uint64(v)), on)
		}
	}
	return nil
}

// match decodes match.sync: which lanes hold the same value.
func match(d *decoder, in *inst) (err error) {
	if err = d.want(3); err != nil {
		return err
	}
	mask, err := d.member()
	if err != nil {
		return err
	}
	first, p := d.s.args[0], int32(-1)
	if first.second != "" {
		if p, err = d.predicate(operand{name: first.second}); err != nil {
			return err
		}
	}
	if in.d, err = d.dst(first); err != nil {
		return err
	}
	if in.a, err = d.src(d.s.args[1], d.types[0]); err != nil {
		return err
	}
	all := d.has("all")
	in.do = func(w *warp, in *inst, on uint32) {
		if !w.members(in, on, mask) {
			return
		}
		a := w.r[in.a]
		var yes uint32
		for i := range a {
			m := equal[uint64](&a, w.broadcast(a[i])) & on
			if all && m != on {
				m = 0
			}
			if m == on {
				yes |= 1 << i
			}
			if on>>i&1 != 0 {
				w.r[in.d][i] = uint64(m)
			}
		}
		if p >= 0 {
			w.p[p] = w.p[p]&^on | yes&on
		}
	}
	return nil
}

// redux decodes redux.sync: one number out of all lanes.
func redux(least, most func(a, b uint64) uint64) func(d *decoder, in *inst) error {
	return func(d *decoder, in *inst) (err error) {
		if err = d.want(3); err != nil {
			return err
		}
		mask, err := d.member()
		if err != nil {
			return err
		}
		f := map[string]func(a, b uint64) uint64{
			"add": func(a, b uint64) uint64 { return (a + b) & 0xffffffff }, "min": least, "max": most,
			"and": func(a, b uint64) uint64 { return a & b }, "or": func(a, b uint64) uint64 { return a | b },
			"xor": func(a, b uint64) uint64 { return a ^ b },
		}[d.mods[len(d.mods)-1]]
		if f == nil {
			return d.errorf("%s: want an operation", d.s.op)
		}
		if in.d, err = d.dst(d.s.args[0]); err != nil {
			return err
		}
		if in.a, err = d.src(d.s.args[1], d.types[0]); err != nil {
			return err
		}
		in.do = func(w *warp, in *inst, on uint32) {
			if !w.members(in, on, mask) {
				return
			}
			first := bits.TrailingZeros32(on)
			v := w.r[in.a][first]
			for left := on &^ (1 << first); left != 0; left &= left - 1 {
				v = f(v, w.r[in.a][bits.TrailingZeros32(left)])
			}
			w.set(in.d, w.broadcast(v), on)
		}
		return nil
	}
}

func activemask(d *decoder, in *inst) (err error) {
	if err = d.want(1); err != nil {
		return err
	}
	in.do = func(w *warp, in *inst, on uint32) { w.set(in.d, w.broadcast(uint64(on)), on) }
	in.d, err = d.dst(d.s.args[0])
	return err
}

// elect decodes elect.sync: the lowest lane is chosen.
func elect(d *decoder, in *inst) (err error) {
	if err = d.want(2); err != nil {
		return err
	}
	mask, err := d.member()
	if err != nil {
		return err
	}
	if in.c, err = d.predicate(operand{name: d.s.args[0].second}); err != nil {
		return err
	}
	if in.d, err = d.dst(d.s.args[0]); err != nil {
		return err
	}
	in.do = func(w *warp, in *inst, on uint32) {
		if w.members(in, on, mask) {
			w.p[in.c] = w.p[in.c]&^on | on&-on
			w.set(in.d, w.broadcast(uint64(bits.TrailingZeros32(on))), on)
		}
	}
	return nil
}
