package emu

import (
	"math/bits"
	"slices"
	"strings"
)

// controlRows are branches, calls and barriers.
func controlRows() map[string]opcode {
	return map[string]opcode{
		"bra":       {"uni", branch},
		"brx":       {"idx uni", jumpTable},
		"call":      {"uni", call},
		"ret":       {"uni", ret},
		"exit":      {"", exit},
		"trap":      {"", trap},
		"nanosleep": {"*", nothing},
		"bar":       {"sync arrive red popc and or warp cta", bar},
		"barrier":   {"sync arrive red popc and or aligned cta", bar},
	}
}

func branch(d *decoder, in *inst) error {
	in.do = func(w *warp, in *inst, on uint32) { w.jump(on, in.target) }
	if err := d.want(1); err != nil {
		return err
	}
	if d.s.args[0].kind != opName {
		return d.errorf("%s: want a label", d.s.op)
	}
	return nil
}

// jumpTable decodes brx.idx: a branch to one of several labels.
func jumpTable(d *decoder, in *inst) (err error) {
	if err = d.want(2); err != nil {
		return err
	}
	if in.a, err = d.src(d.s.args[0], "u32"); err != nil {
		return err
	}
	if len(d.f.tables[d.s.args[1].name]) == 0 {
		return d.errorf("%s: no table %s", d.s.op, d.s.args[1].name)
	}
	in.do = func(w *warp, in *inst, on uint32) {
		for left := on; left != 0; {
			lane := bits.TrailingZeros32(left)
			v := w.r[in.a][lane]
			if v >= uint64(len(in.table)) {
				w.fault(in, lane, OutOfBounds, "index %d of a jump table with %d labels", v, len(in.table))
				return
			}
			group := equal[uint32](&w.r[in.a], w.broadcast(v)) & left
			w.jump(group, in.table[v])
			left &^= group
		}
	}
	return nil
}

// broadcast returns lanes that all hold v.
func (w *warp) broadcast(v uint64) *lanes {
	for i := range w.tmp {
		w.tmp[i] = v
	}
	return &w.tmp
}

// callParts splits the operands of a call.
func callParts(s *stmt) (name string, results, args []operand) {
	for _, o := range s.args {
		switch {
		case o.kind == opList && name == "":
			results = o.list
		case o.kind == opList:
			args = o.list
		case o.kind == opName && name == "":
			name = o.name
		}
	}
	return name, results, args
}

// call decodes the call of a function. Arguments are copied to where the function has its parameters; its results
// stay where it leaves them.
func call(d *decoder, in *inst) error {
	name, results, args := callParts(d.s)
	f := d.m.source.fns[name]
	start, ok := d.c.entries[name]
	if !ok || f == nil {
		return d.errorf("call of %q, which the text does not define", name)
	}
	formals, outs := d.c.formals[name], d.c.results[name]
	if len(args) != len(formals) || len(results) != len(outs) {
		return d.errorf("%s: got %d arguments and %d results, want %d and %d", name, len(args), len(results), len(formals), len(outs))
	}
	for i, o := range args {
		p, ok := d.vars[o.name]
		if !ok || p.space != "param" || p.at < frameBase {
			return d.errorf("%s: the argument %s is no variable in .param", name, o.name)
		}
		in.copies = append(in.copies, [3]int{int(p.at - frameBase), formals[i], f.params[i].bytes})
	}
	for i, o := range results {
		d.vars[o.name] = place{"param", frameBase + uint64(outs[i])}
	}
	in.target = start
	in.do = (*warp).call
	return nil
}

const maxDepth = 64

func (w *warp) call(in *inst, on uint32) {
	size := w.block.run.code.frame
	for left := on; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		f := w.frame[i*size : (i+1)*size]
		for _, c := range in.copies {
			copy(f[c[1]:c[1]+c[2]], f[c[0]:])
		}
		depth := int(w.depth[i])
		if depth == maxDepth {
			w.fault(in, i, Unsupported, "more than %d calls within one another", maxDepth)
			return
		}
		for len(w.calls) <= depth {
			w.calls = append(w.calls, [32]int32{})
		}
		w.calls[depth][i] = w.pc
		w.depth[i]++
	}
	w.jump(on, in.target)
}

// ret decodes the end of a function, or of a thread in an entry.
func ret(d *decoder, in *inst) error {
	if d.f.entry {
		return exit(d, in)
	}
	in.do = func(w *warp, _ *inst, on uint32) {
		for on != 0 {
			first := bits.TrailingZeros32(on)
			to := w.calls[w.depth[first]-1][first]
			var group uint32
			for left := on; left != 0; left &= left - 1 {
				if i := bits.TrailingZeros32(left); w.calls[w.depth[i]-1][i] == to {
					group |= 1 << i
					w.depth[i]--
				}
			}
			w.jump(group, to)
			on &^= group
		}
	}
	return nil
}

func exit(_ *decoder, in *inst) error {
	in.do = func(w *warp, _ *inst, on uint32) { w.end(on) }
	return nil
}

func trap(_ *decoder, in *inst) error {
	in.do = func(w *warp, in *inst, on uint32) {
		w.fault(in, bits.TrailingZeros32(on), Trap, "the kernel stopped itself")
	}
	return nil
}

// What a barrier reduces.
const (
	reduceNone uint8 = iota
	reducePopc
	reduceAnd
	reduceOr
)

// bar decodes barriers of a block, and that of a warp.
func bar(d *decoder, in *inst) (err error) {
	if strings.HasPrefix(d.s.op, "bar.warp") {
		return warpBarrier(d, in)
	}
	args := d.s.args
	in.mode = reduceNone
	if d.has("red") {
		if len(args) < 3 {
			return d.want(3)
		}
		in.mode = reducePopc + uint8(max(0, slices.IndexFunc([]string{"popc", "and", "or"}, d.has)))
		if in.mode == reducePopc {
			in.d, err = d.dst(args[0])
		} else {
			in.d, err = d.predicate(args[0])
		}
		if err != nil {
			return err
		}
		last := args[len(args)-1]
		if in.c, err = d.predicateSource(last); err != nil {
			return err
		}
		if last.not {
			in.negate = 4
		}
		args = args[1 : len(args)-1]
	}
	if len(args) < 1 || len(args) > 2 || len(args) == 1 && d.has("arrive") {
		return d.errorf("%s: want the number of a barrier, and of threads with .arrive", d.s.op)
	}
	if in.a, err = d.src(args[0], "u32"); err != nil {
		return err
	}
	in.b = d.constant(0)
	if len(args) == 2 {
		if in.b, err = d.src(args[1], "u32"); err != nil {
			return err
		}
	}
	if d.has("arrive") {
		in.do = func(w *warp, in *inst, on uint32) {
			if w.converged(in, on, w.live) {
				w.block.arrive[w.r[in.a][bits.TrailingZeros32(on)]&15] += 32
			}
		}
		return nil
	}
	in.do = (*warp).wait
	return nil
}

// wait stops the warp at a barrier.
func (w *warp) wait(in *inst, on uint32) {
	if !w.converged(in, on, w.live) {
		return
	}
	lane := bits.TrailingZeros32(on)
	id, n := w.r[in.a][lane], int(uint32(w.r[in.b][lane]))
	if id > 15 || n%32 != 0 || n > 1024 {
		w.fault(in, lane, Limit, "barrier %d of %d threads, want a number up to 15 and a multiple of 32 threads", id, n)
		return
	}
	w.barrier, w.expect, w.arrivePC, w.reduce, w.reduceDst = int32(id), n, w.pc-1, in.mode, in.d
	if in.mode != reduceNone {
		w.reduceIn = w.pred(in.c, in.negate)
	}
	w.state = waiting
}

// reduced stores what a barrier found.
func (w *warp) reduced(count int, all bool) {
	var yes bool
	switch w.reduce {
	case reducePopc:
		w.set(w.reduceDst, w.broadcast(uint64(count)), w.live)
		return
	case reduceAnd:
		yes = all
	case reduceOr:
		yes = count > 0
	default:
		return
	}
	w.p[w.reduceDst] &^= w.live
	if yes {
		w.p[w.reduceDst] |= w.live
	}
}

// warpBarrier decodes bar.warp.sync.
func warpBarrier(d *decoder, in *inst) (err error) {
	if err = d.want(1); err != nil {
		return err
	}
	if in.a, err = d.src(d.s.args[0], "b32"); err != nil {
		return err
	}
	in.do = func(w *warp, in *inst, on uint32) {
		if w.members(in, on, in.a) && w.block.run.causal {
			w.meet(on)
		}
	}
	return nil
}
