package emu

import "testing"

// BenchmarkKernels measures nanoseconds for each instruction of a warp, on one goroutine.
func BenchmarkKernels(b *testing.B) {
	for _, c := range []struct {
		file, kernel string
		l            Launch
		args         []any
	}{
		{"basic", "saxpy", Launch{Grid: one1(256), Block: one1(256)}, []any{randoms(65536, 1), randoms(65536, 2), float32(2), int32(65536)}},
		{"basic", "layernorm", Launch{Grid: one1(256), Block: one1(128)}, []any{randoms(65536, 1), randoms(65536, 2), randoms(256, 3), randoms(256, 4), int32(256), float32(1e-5)}},
		{"basic", "gelu", Launch{Grid: one1(256), Block: one1(256)}, []any{randoms(65536, 1), randoms(65536, 2), int32(65536)}},
		{"gemm", "gemm_tiled", Launch{Grid: Dim{8, 8, 1}, Block: Dim{16, 16, 1}}, []any{randoms(16384, 1), randoms(16384, 2), randoms(16384, 3), int32(128), int32(128), int32(128)}},
		{"gemm", "gemm_mma", Launch{Grid: Dim{4, 4, 1}, Block: one1(128)}, []any{randoms(16384, 1), make([]uint16, 16384), make([]uint16, 16384), int32(128), int32(128), int32(128)}},
		{"gemm", "flash", Launch{Grid: Dim{32, 2, 1}, Block: Dim{32, 4, 1}, Shared: 8448}, []any{randoms(8192, 1), randoms(8192, 2), randoms(8192, 3), randoms(8192, 4), int32(128), float32(0.2)}},
	} {
		for _, unchecked := range []bool{false, true} {
			name := c.kernel + "/checked"
			if unchecked {
				name = c.kernel + "/unchecked"
			}
			b.Run(name, func(b *testing.B) { benchmark(b, c.file, c.kernel, c.l, c.args, unchecked) })
		}
	}
}

func benchmark(b *testing.B, file, kernel string, l Launch, args []any, unchecked bool) {
	d := New(Options{Workers: 1, Unchecked: unchecked})
	m, err := d.Load(ptxFile(b, file))
	if err != nil {
		b.Fatal(err)
	}
	if l.Kernel, err = m.Kernel(kernel); err != nil {
		b.Fatal(err)
	}
	var values []uint64
	for i, a := range args {
		v, _, err := d.argument(i, a)
		if err != nil {
			b.Fatal(err)
		}
		values = append(values, v)
	}
	if l.Params, err = l.Kernel.Pack(values...); err != nil {
		b.Fatal(err)
	}
	var n int64
	for b.Loop() {
		s, err := d.Launch(l)
		if err != nil {
			b.Fatal(err)
		}
		n += s.Instructions
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/inst")
}
