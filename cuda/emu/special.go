package emu

// specials fill the registers that the hardware sets.
var specials = map[string]func(w *warp, r *lanes){
	"%laneid": func(_ *warp, r *lanes) {
		for i := range r {
			r[i] = uint64(i)
		}
	},
	"%warpid":            same(func(w *warp) int { return w.index }),
	"%nwarpid":           same(func(*warp) int { return 64 }),
	"%smid":              same(func(*warp) int { return 0 }),
	"%nsmid":             same(func(*warp) int { return 1 }),
	"%gridid":            same(func(*warp) int { return 0 }),
	"%ctaid.x":           same(func(w *warp) int { return w.block.at.X }),
	"%ctaid.y":           same(func(w *warp) int { return w.block.at.Y }),
	"%ctaid.z":           same(func(w *warp) int { return w.block.at.Z }),
	"%nctaid.x":          same(func(w *warp) int { return w.block.run.l.Grid.X }),
	"%nctaid.y":          same(func(w *warp) int { return w.block.run.l.Grid.Y }),
	"%nctaid.z":          same(func(w *warp) int { return w.block.run.l.Grid.Z }),
	"%ntid.x":            same(func(w *warp) int { return w.block.run.l.Block.X }),
	"%ntid.y":            same(func(w *warp) int { return w.block.run.l.Block.Y }),
	"%ntid.z":            same(func(w *warp) int { return w.block.run.l.Block.Z }),
	"%dynamic_smem_size": same(func(w *warp) int { return w.block.run.l.Shared }),
	"%total_smem_size":   same(func(w *warp) int { return w.block.run.shared }),
	"%tid.x":             each(func(t Dim) int { return t.X }),
	"%tid.y":             each(func(t Dim) int { return t.Y }),
	"%tid.z":             each(func(t Dim) int { return t.Z }),
	"%lanemask_eq":       lanemask(func(i int) uint32 { return 1 << i }),
	"%lanemask_lt":       lanemask(func(i int) uint32 { return 1<<i - 1 }),
	"%lanemask_le":       lanemask(func(i int) uint32 { return 2<<i - 1 }),
	"%lanemask_gt":       lanemask(func(i int) uint32 { return ^uint32(2<<i - 1) }),
	"%lanemask_ge":       lanemask(func(i int) uint32 { return ^uint32(1<<i - 1) }),
}

// clocks are registers that change while a kernel runs.
var clocks = map[string]bool{"%clock": true, "%clock64": true, "%clock_hi": true, "%globaltimer": true, "%globaltimer_lo": true}

func same(f func(w *warp) int) func(w *warp, r *lanes) {
	return func(w *warp, r *lanes) {
		v := uint64(f(w))
		for i := range r {
			r[i] = v
		}
	}
}

func each(f func(t Dim) int) func(w *warp, r *lanes) {
	return func(w *warp, r *lanes) {
		for i := range r {
			r[i] = uint64(f(w.block.thread(w.first + i)))
		}
	}
}

func lanemask(f func(i int) uint32) func(w *warp, r *lanes) {
	return func(_ *warp, r *lanes) {
		for i := range r {
			r[i] = uint64(f(i))
		}
	}
}
