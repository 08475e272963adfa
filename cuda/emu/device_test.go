package emu

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

func TestMemory(t *testing.T) {
	d := New(Options{Bytes: 1 << 20})
	p, err := d.Alloc(100)
	if err != nil || p < 1<<46 || p%256 != 0 {
		t.Fatalf("got %#x, %v, want a multiple of 256 from 2⁴⁶ on", p, err)
	}
	q, err := d.Alloc(8)
	if err != nil || q < p+100+256 {
		t.Fatalf("got %#x, %v, want a redzone behind %#x", q, err, p)
	}
	if _, err := d.Alloc(1 << 20); !errors.Is(err, ErrMemory) {
		t.Errorf("got %v, want ErrMemory", err)
	}
	if err := d.Name(p, "x"); err != nil {
		t.Error(err)
	}
	b := make([]byte, 8)
	if err := d.Read(b, p); err == nil || !strings.Contains(err.Error(), `byte 0 of "x" was never written`) {
		t.Errorf("got %v, want unwritten", err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	check(d.Write(p+4, []byte{1, 2, 3, 4}))
	check(d.Copy(q, p+4, 4))
	check(d.Read(b[:4], q))
	if b[3] != 4 {
		t.Errorf("got % x, want 01 02 03 04", b[:4])
	}
	check(d.Copy(q, p, 8))
	if n, _ := d.Written(q+4, 4); n != 4 {
		t.Errorf("%d of the copied bytes count as written, want 4", n)
	}
	if d.Read(b[:4], q) == nil {
		t.Error("a copy of unwritten bytes counts as written")
	}
	check(d.Fill(q, 0x3f800000, 2))
	check(d.Read(b, q))
	if math.Float32frombits(binary.LittleEndian.Uint32(b[4:])) != 1 {
		t.Errorf("got % x, want 1.0 twice", b)
	}
	check(d.Forget(q, 4))
	if d.Read(b, q) == nil {
		t.Error("forgotten bytes count as written")
	}
	refusals(t, d, p, q)
	check(d.Free(p))
	check(d.Free(q))
	if n, _ := d.Allocations(); n != 0 {
		t.Errorf("%d allocations are left", n)
	}
	if _, err := d.Alloc(1<<20 - 256); err != nil {
		t.Error(err)
	}
}

// refusals tries what is outside of two allocations of 100 and 8 bytes.
func refusals(t *testing.T, d *Device, p, q Ptr) {
	b := make([]byte, 8)
	for name, err := range map[string]error{"write": d.Write(p+97, b[:4]), "free": d.Free(p + 1), "fill": d.Fill(q, 0, 3), "name": d.Name(q+1, ""), "copy": d.Copy(q, p+200, 1)} {
		if err == nil {
			t.Errorf("%s: got no error, want one for what is no allocation", name)
		}
	}
	if n, bytes := d.Allocations(); n != 2 || bytes != 108 {
		t.Errorf("got %d allocations of %d bytes, want 2 of 108", n, bytes)
	}
}

// copyBody copies b to a, a word for each thread.
const copyBody = "ld.global.u32 %r9, [%rd5];\nst.global.u32 [%rd4], %r9;"

// TestRanges launches bodies over ranges of an arena of 256 bytes: a at 0, b at 128, n threads.
func TestRanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		ranges func(p Ptr) []Range
		n      int
		detail string // "": no fault
	}{
		{"all is allowed", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 64, 0, 0, Writes}, {"x", p + 128, 64, 0, 0, Reads}} }, 16, ""},
		{"past y", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 60, 0, 0, Writes}, {"x", p + 128, 64, 0, 0, Reads}} }, 16, `write of 4 bytes at 0x40000000003c: 0 bytes past the end of "y" with 60 bytes`},
		{"past x", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 64, 0, 0, Writes}, {"x", p + 128, 32, 0, 0, Reads}} }, 16, `read of 4 bytes at 0x4000000000a0: 0 bytes past the end of "x" with 32 bytes`},
		{"may not write", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 64, 0, 0, Reads}, {"x", p + 128, 64, 0, 0, Reads}} }, 16, `at byte 0 of "y" with 64 bytes, which is not there to write`},
		{"may not read", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 64, 0, 0, Writes}, {"x", p + 128, 64, 0, 0, Writes}} }, 16, `"x" with 64 bytes, which is not there to read`},
		{"reads its result", "ld.global.u32 %r9, [%rd4];\nst.global.u32 [%rd4], %r9;", func(p Ptr) []Range { return []Range{{"y", p, 64, 0, 0, Reads | Writes}} }, 16, ""},
		{"reads before it writes", "ld.global.u32 %r9, [%rd4];\nst.global.u32 [%rd4], %r9;", func(p Ptr) []Range {
			return []Range{{"y", p, 64, 0, 0, Writes}, {"z", p + 64, 4, 0, 0, Reads}}
		}, 16, `at byte 0 of "y" with 64 bytes, which is not there to read`},
		{"in place by two ranges", "ld.global.u32 %r9, [%rd4];\nst.global.u32 [%rd4], %r9;", func(p Ptr) []Range {
			return []Range{{"y", p, 64, 0, 0, Writes}, {"x", p, 64, 0, 0, Reads}}
		}, 16, ""},
		{"a gap", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 64, 0, 0, Writes}, {"x", p + 128, 64, 12, 16, Reads}} }, 16, `byte 12 of row 0 of "x", whose rows have 12 bytes`},
		{"rows", copyBody, func(p Ptr) []Range { return []Range{{"y", p, 12, 0, 0, Writes}, {"x", p + 128, 64, 12, 16, Reads}} }, 3, ""},
		{"far away", "ld.global.u32 %r9, [%rd5+65536];", func(p Ptr) []Range { return []Range{{"y", p, 12, 0, 0, Writes}} }, 1, `past the end of "y" with 12 bytes`},
	} {
		d := New(Options{})
		m, err := d.Load(program(c.body))
		if err != nil {
			t.Fatal(err)
		}
		k, _ := m.Kernel("k")
		p, _ := d.Alloc(256)
		if err := d.Write(p, make([]byte, 256)); err != nil {
			t.Fatal(err)
		}
		params, err := k.Pack(uint64(p), uint64(p+128), uint64(c.n))
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Launch(Launch{Kernel: k, Grid: one1(1), Block: one1(c.n), Params: params, Ranges: c.ranges(p)})
		var f *Fault
		switch {
		case c.detail == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.detail != "" && (!errors.As(err, &f) || f.Kind != OutOfBounds || !strings.Contains(f.Detail, c.detail)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.detail)
		}
	}
}

// TestForgets checks that what a launch leaves unwritten of its results is found by who reads it. The gaps of rows
// keep what they hold.
func TestForgets(t *testing.T) {
	d := New(Options{})
	m, err := d.Load(program(copyBody))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := m.Kernel("k")
	p, _ := d.Alloc(256)
	if err := d.Write(p, make([]byte, 256)); err != nil {
		t.Fatal(err)
	}
	params, _ := k.Pack(uint64(p), uint64(p+128), 0)
	l := Launch{Kernel: k, Grid: one1(1), Block: one1(8), Params: params, Ranges: []Range{{"y", p, 64, 24, 32, Writes}, {"x", p + 128, 64, 0, 0, Reads}}}
	l.Block.X = 6
	if _, err := d.Launch(l); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, n, written int }{{0, 24, 24}, {24, 8, 8}, {32, 24, 0}, {56, 8, 8}} {
		if n, err := d.Written(p+Ptr(c.at), c.n); err != nil || n != c.written {
			t.Errorf("bytes %d to %d: %d are written, want %d", c.at, c.at+c.n, n, c.written)
		}
	}
	l.Ranges = []Range{{"z", p, 64, 0, 0, Reads | Writes}, {"y", p + 128, 64, 0, 0, Reads | Writes}}
	l.Params, _ = k.Pack(uint64(p+128), uint64(p+32), 0)
	var f *Fault
	if _, err := d.Launch(l); !errors.As(err, &f) || f.Kind != Unwritten || !strings.Contains(f.Detail, `at byte 32 of "z"`) {
		t.Errorf("got %v, want what the launch before left unwritten", err)
	}
}

func TestStats(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       Stats
	}{
		{"side by side", "ld.global.u32 %r9, [%rd4];", Stats{15, 4, 4, 0}},
		{"one for all", "ld.global.u32 %r9, [%rd1];", Stats{15, 1, 4, 0}},
		{"spread", "mul.wide.u32 %rd6, %r2, 32;\nadd.u64 %rd6, %rd6, %rd1;\nld.global.u32 %r9, [%rd6];", Stats{17, 32, 4, 0}},
		{"own banks", "st.shared.u32 [%r8], %r2;", Stats{15, 0, 0, 0}},
		{"two words a bank", "shl.b32 %r9, %r2, 3;\nadd.u32 %r9, %r9, %r7;\nst.shared.u32 [%r9], %r2;", Stats{17, 0, 0, 1}},
		{"64 bits", "shl.b32 %r9, %r2, 3;\nadd.u32 %r9, %r9, %r7;\nst.shared.u64 [%r9], %rd1;", Stats{17, 0, 0, 0}},
		{"one bank", "and.b32 %r9, %r2, 3;\nshl.b32 %r9, %r9, 7;\nadd.u32 %r9, %r9, %r7;\nst.shared.u32 [%r9], %r1;", Stats{18, 0, 0, 3}},
	} {
		got, err := Try(Options{}, program(c.body), Launch{Grid: one1(1), Block: one1(32)}, "k", make([]uint32, 256), make([]uint32, 32), uint32(0))
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

// TestRepeat checks that what is noted of a launch does not outlive it, over more launches than the notes have
// numbers for.
func TestRepeat(t *testing.T) {
	d := New(Options{Workers: 2})
	m, err := d.Load(program("setp.eq.u32 %p1, %r2, 0;\nmul.wide.u32 %rd6, %r3, 4;\nadd.u64 %rd6, %rd6, %rd1;\n@%p1 st.global.u32 [%rd6], %r3;"))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := m.Kernel("k")
	p, _ := d.Alloc(64)
	q, _ := d.Alloc(64)
	for i := range 3 * maxLaunch {
		if i%2 == 0 {
			p, q = q, p
		}
		params, _ := k.Pack(uint64(p), uint64(q), 0)
		if _, err := d.Launch(Launch{Kernel: k, Grid: one1(2), Block: one1(1), Params: params}); err != nil {
			t.Fatalf("launch %d: %v", i, err)
		}
	}
}

func TestModule(t *testing.T) {
	d := New(Options{})
	m, err := d.Load(ptxFile(t, "more"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Kernels(), " "); got != "atomics bytes calls conversions jump last_block local_array votes" {
		t.Errorf("got kernels %s", got)
	}
	k, err := m.Kernel("bytes")
	if err != nil {
		t.Fatal(err)
	}
	if p := k.Params(); len(p) != 6 || p[5] != (Param{"bytes_param_5", 40, 4}) {
		t.Errorf("got parameters %v", p)
	}
	if _, err := m.Kernel("none"); err == nil || !strings.Contains(err.Error(), "want one of atomics") {
		t.Errorf("got %v, want the names of the kernels", err)
	}
	p, n, err := m.Symbol("counter")
	b := make([]byte, 4)
	if err != nil || n != 4 || d.Read(b, p) != nil || b[0] != 7 {
		t.Errorf("got %d bytes % x of counter, %v, want 7", n, b, err)
	}
	m.Unload()
	if d.Read(b, p) == nil {
		t.Error("variables outlive their module")
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"basic", "gemm", "more"} {
		f.Add(ptxFile(f, name)[:6000])
	}
	for _, c := range programs {
		f.Add(program(c.body))
	}
	for _, c := range faults {
		f.Add(program(c.body))
	}
	f.Fuzz(func(t *testing.T, src string) {
		d := New(Options{Budget: 2000, Workers: 1, Bytes: 1 << 16})
		m, err := d.Load(src)
		if err != nil {
			return
		}
		p, _ := d.Alloc(256)
		for _, name := range m.Kernels() {
			k, _ := m.Kernel(name)
			var params []byte
			for len(params) < k.bytes {
				params = binary.LittleEndian.AppendUint64(params, uint64(p))
			}
			// A kernel may do anything but crash the emulator.
			_, _ = d.Launch(Launch{Kernel: k, Grid: one1(2), Block: one1(33), Params: params[:k.bytes]})
			d.o.Unchecked = true
			_, _ = d.Launch(Launch{Kernel: k, Grid: one1(2), Block: one1(33), Params: params[:k.bytes]})
			d.o.Unchecked = false
		}
	})
}
