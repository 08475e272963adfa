package emu

import "strings"

// compareRows are comparisons and what follows from them.
func compareRows() map[string]opcode {
	const mods = "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan and or xor ftz"
	rows := map[string]opcode{}
	for _, t := range []string{"b16", "s16", "u16", "b32", "s32", "u32", "f32", "b64", "s64", "u64", "f64", "f16", "bf16"} {
		rows["setp."+t] = opcode{mods, setp}
		if !strings.HasSuffix(t, "f16") {
			rows["selp."+t] = opcode{"", selp}
			rows["slct."+t] = opcode{"ftz", nil}
		}
	}
	for t := range rows {
		if strings.HasPrefix(t, "slct") {
			delete(rows, t)
		}
	}
	for _, t := range []string{"s32", "f32"} { // the type of the operand that selects comes last
		rows["slct."+t] = opcode{"ftz", slct}
	}
	for _, t := range []string{"s32", "u32", "f32", "s64", "u64", "f64", "s16", "u16", "b32", "b64", "b16"} {
		rows["set."+t] = opcode{mods, set}
	}
	return rows
}

// A comparer returns the lanes in which the comparison holds.
type comparer func(a, b *lanes) uint32

func less[T anyInt](a, b *lanes) (m uint32) {
	for i := range a {
		if T(a[i]) < T(b[i]) {
			m |= 1 << i
		}
	}
	return m
}

func lessEqual[T anyInt](a, b *lanes) (m uint32) {
	for i := range a {
		if T(a[i]) <= T(b[i]) {
			m |= 1 << i
		}
	}
	return m
}

func equal[T anyInt](a, b *lanes) (m uint32) {
	for i := range a {
		if T(a[i]) == T(b[i]) {
			m |= 1 << i
		}
	}
	return m
}

// floatCompare makes a comparer of floats.
func floatCompare(get func(v uint64) float64, f func(a, b float64) bool) comparer {
	return func(a, b *lanes) (m uint32) {
		for i := range a {
			if f(get(a[i]), get(b[i])) {
				m |= 1 << i
			}
		}
		return m
	}
}

// order is what comparisons are made of: less, less or equal, equal, and for floats unordered.
type order [4]comparer

func intOrder[T anyInt]() order { return order{less[T], lessEqual[T], equal[T], nil} }

func floatOrder(get func(v uint64) float64) order {
	return order{
		floatCompare(get, func(a, b float64) bool { return a < b }), floatCompare(get, func(a, b float64) bool { return a <= b }),
		floatCompare(get, func(a, b float64) bool { return a == b }), floatCompare(get, func(a, b float64) bool { return a != a || b != b }),
	}
}

// orderOf is the order of a type.
func (d *decoder) orderOf(t string) order {
	switch t {
	case "s16":
		return intOrder[int16]()
	case "u16", "b16":
		return intOrder[uint16]()
	case "s32":
		return intOrder[int32]()
	case "u32", "b32":
		return intOrder[uint32]()
	case "s64":
		return intOrder[int64]()
	case "u64", "b64":
		return intOrder[uint64]()
	}
	return floatOrder(d.read(t))
}

// comparisons say how each comparison follows from the order: its index, whether the operands are swapped, and
// whether the result is negated.
var comparisons = map[string]struct {
	of        int
	swap, not bool
}{
	"lt": {0, false, false}, "le": {1, false, false}, "gt": {0, true, false}, "ge": {1, true, false}, "eq": {2, false, false},
	"lo": {0, false, false}, "ls": {1, false, false}, "hi": {0, true, false}, "hs": {1, true, false}, "ne": {2, false, true},
	"ltu": {1, true, true}, "leu": {0, true, true}, "gtu": {1, false, true}, "geu": {0, false, true}, "neu": {2, false, true},
	"nan": {3, false, false}, "num": {3, false, true},
}

// comparer returns the comparison of the opcode.
func (d *decoder) comparer(t string) (comparer, error) {
	o := d.orderOf(t)
	for _, mod := range d.mods {
		if mod == "equ" && o[3] != nil {
			return func(a, b *lanes) uint32 { return o[2](a, b) | o[3](a, b) }, nil
		}
		if mod == "ne" && o[3] != nil {
			return func(a, b *lanes) uint32 { return ^(o[2](a, b) | o[3](a, b)) }, nil
		}
		c, ok := comparisons[mod]
		if !ok || o[c.of] == nil {
			continue
		}
		f := o[c.of]
		switch {
		case c.swap && c.not:
			return func(a, b *lanes) uint32 { return ^f(b, a) }, nil
		case c.swap:
			return func(a, b *lanes) uint32 { return f(b, a) }, nil
		case c.not:
			return func(a, b *lanes) uint32 { return ^f(a, b) }, nil
		}
		return f, nil
	}
	return nil, d.errorf("%s: want a comparison", d.s.op)
}

// combine is what .and, .or and .xor do with a predicate.
func (d *decoder) combine() func(a, b uint32) uint32 {
	switch {
	case d.has("and"):
		return func(a, b uint32) uint32 { return a & b }
	case d.has("or"):
		return func(a, b uint32) uint32 { return a | b }
	case d.has("xor"):
		return func(a, b uint32) uint32 { return a ^ b }
	}
	return nil
}

// setp decodes a comparison.
func setp(d *decoder, in *inst) (err error) {
	t := d.types[len(d.types)-1]
	join := d.combine()
	n := 3
	if join != nil {
		n = 4
	}
	if err = d.want(n); err != nil {
		return err
	}
	compare, err := d.comparer(t)
	if err != nil {
		return err
	}
	if in.d, err = d.predicate(d.s.args[0]); err != nil {
		return err
	}
	second := int32(-1)
	if name := d.s.args[0].second; name != "" {
		if second, err = d.predicate(operand{name: name}); err != nil {
			return err
		}
	}
	for i, to := range []*int32{&in.a, &in.b} {
		if *to, err = d.src(d.s.args[i+1], t); err != nil {
			return err
		}
	}
	if join == nil && second < 0 {
		in.do = func(w *warp, in *inst, on uint32) {
			m := compare(&w.r[in.a], &w.r[in.b])
			w.p[in.d] = w.p[in.d]&^on | m&on
		}
		return nil
	}
	if join == nil {
		join = func(a, _ uint32) uint32 { return a }
		in.c = in.d
	} else if in.c, err = d.predicateSource(d.s.args[3]); err != nil {
		return err
	} else if d.s.args[3].not {
		in.negate = 4
	}
	in.do = func(w *warp, in *inst, on uint32) {
		m, c := compare(&w.r[in.a], &w.r[in.b]), w.pred(in.c, in.negate)
		w.p[in.d] = w.p[in.d]&^on | join(m, c)&on
		if second >= 0 {
			w.p[second] = w.p[second]&^on | join(^m, c)&on
		}
	}
	return nil
}

// set decodes a comparison whose result is a number: all ones, or 1.0.
func set(d *decoder, in *inst) error {
	if len(d.types) != 2 || d.combine() != nil {
		return d.errorf("%s: want two types and no combination", d.s.op)
	}
	compare, err := d.comparer(d.types[1])
	if err != nil {
		return err
	}
	yes := map[string]uint64{"u32": 0xffffffff, "s32": 0xffffffff, "b32": 0xffffffff, "f32": 0x3f800000}[d.types[0]]
	if yes == 0 {
		return d.errorf("%s: want a result of 32 bits", d.s.op)
	}
	return ops(d.types[0]+" "+d.types[1]+" "+d.types[1], func(d, a, b, _ *lanes) {
		m := compare(a, b)
		for i := range d {
			d[i] = uint64(m>>i&1) * yes
		}
	})(d, in)
}

// selp decodes a choice by a predicate.
func selp(d *decoder, in *inst) (err error) {
	t := d.types[0]
	if err = d.want(4); err != nil {
		return err
	}
	if in.d, err = d.dst(d.s.args[0]); err != nil {
		return err
	}
	for i, to := range []*int32{&in.a, &in.b} {
		if *to, err = d.src(d.s.args[i+1], t); err != nil {
			return err
		}
	}
	if in.c, err = d.predicateSource(d.s.args[3]); err != nil {
		return err
	}
	if d.s.args[3].not {
		in.negate = 4
	}
	in.do = func(w *warp, in *inst, on uint32) {
		a, b, d := &w.r[in.a], &w.r[in.b], &w.r[in.d]
		m := w.pred(in.c, in.negate)
		if on != full {
			d = &w.tmp
		}
		for i := range d {
			v := b[i]
			if m>>i&1 != 0 {
				v = a[i]
			}
			d[i] = v
		}
		if on != full {
			merge(&w.r[in.d], d, on)
		}
	}
	return nil
}

// slct decodes a choice by a sign.
func slct(d *decoder, in *inst) error {
	if len(d.types) != 2 {
		return d.errorf("%s: want two types", d.s.op)
	}
	t, c := d.types[0], d.types[1]
	positive := func(v uint64) bool { return int32(v) >= 0 }
	if c == "f32" {
		get := d.operandOf()
		positive = func(v uint64) bool { return get(v) >= 0 }
	}
	return ops(t+" "+t+" "+t+" "+c, func(d, a, b, c *lanes) {
		for i := range d {
			if positive(c[i]) {
				d[i] = a[i]
			} else {
				d[i] = b[i]
			}
		}
	})(d, in)
}
