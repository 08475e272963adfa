package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"
)

// raw returns a file: the magic, then the parts in binary. A string has its length before it, a []byte has not.
func raw(parts ...any) []byte {
	b := []byte(magic)
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = appendString(b, p)
		case int:
			b = binary.LittleEndian.AppendUint64(b, uint64(p))
		default:
			b, _ = binary.Append(b, binary.LittleEndian, p)
		}
	}
	return b
}

// Types, ranks and versions are u32. Counts, lengths and offsets are u64, or int, which [raw] writes as a u64.
type (
	u32 = uint32
	u64 = uint64
)

// The numbers of the value types that the rows use.
const (
	kU8, kU32, kBool, kStr, kArr = u32(0), u32(4), u32(7), u32(8), u32(9)
	v3                           = u32(3)
)

// one returns a file with one tensor x. The parts are the rest of the header; 200 bytes of padding and data follow.
func one(parts ...any) []byte {
	return append(raw(append([]any{v3, 1, 0, "x"}, parts...)...), make([]byte, 200)...)
}

var f32 = u32(F32)

// aligned returns a file with a tensor of 1 float32. The parts are its value of general.alignment.
func aligned(parts ...any) []byte {
	parts = append([]any{v3, 1, 1, alignmentKey}, parts...)
	return append(raw(append(parts, "x", u32(1), 1, f32, 0)...), make([]byte, 200)...)
}

// hostile lists files that must be refused, and a part of each error.
var hostile = []struct {
	name string
	file []byte
	want string
}{
	{"empty", nil, `begins with ""`},
	{"three bytes", []byte("GGU"), `begins with "GGU", want "GGUF"`},
	{"another magic", []byte("GGML\x03\x00\x00\x00"), `begins with "GGML"`},
	{"magic alone", raw(), "0 left"},
	{"version 1", raw(u32(1), 0, 0), "version 1, want 2 or 3"},
	{"version 0", raw(u32(0), 0, 0), "version 0"},
	{"big-endian", raw(u32(3<<24), 0, 0), "a big-endian file"},
	{"counts cut", raw(v3, 0, u32(0)), "4 left: truncated?"},
	{"huge count of keys", raw(v3, 0, u64(math.MaxUint64)), "18446744073709551615 keys in the 0 bytes left"},
	{"one key too many", raw(v3, 0, 2, "a", kU8, []byte{1}), "2 keys in the 14 bytes left, want at least 14 bytes a key"},
	{"huge count of tensors", raw(v3, u64(1<<63), 0), "9223372036854775808 tensors in the 0 bytes left"},
	{"tensors of no data", raw(v3, 3, 0, make([]byte, 113)), "3 tensors in the 113 bytes left"},
	{"huge key", raw(v3, 0, 1, u64(math.MaxUint64), make([]byte, 20)), "18446744073709551615 bytes wanted"},
	{"key past the end", raw(v3, 0, 1, 21, make([]byte, 20)), "21 bytes wanted at byte 32, 20 left"},
	{"key of no bytes", raw(v3, 0, 1, "", kU8, []byte{1, 2}), "metadata: an empty name"},
	{"name of no bytes", append(raw(v3, 1, 0, "", u32(1), 8, f32, 0), make([]byte, 64)...), "tensors: an empty name"},
	{"key twice", raw(v3, 0, 2, "a", kU8, []byte{1}, "a", kU8, []byte{2}), `metadata: "a" twice`},
	{"unknown type of value", raw(v3, 0, 1, "a", u32(13), []byte{1}), "a value of type 13, want 0 to 12"},
	{"huge type of value", raw(v3, 0, 1, "a", u32(math.MaxUint32), []byte{1}), "a value of type 4294967295"},
	{"number cut", raw(v3, 0, 1, "abc", kU32, []byte{1}), `key 0 of 1, "abc": 4 bytes wanted`},
	{"bool of 2", raw(v3, 0, 1, "a", kBool, []byte{2}), "a bool of byte 2"},
	{"bool of 2 in an array", raw(v3, 0, 1, "a", kArr, kBool, 2, []byte{1, 2}), "a bool of byte 2"},
	{"huge string", raw(v3, 0, 1, "a", kStr, u64(1<<63)), "9223372036854775808 bytes wanted"},
	{"array of arrays", raw(v3, 0, 1, "a", kArr, kArr, 1, kArr, 1, kU8, 1, []byte{1}), "an array of arrays"},
	{"unknown type of elements", raw(v3, 0, 1, "a", kArr, u32(99), 1), "a value of type 99"},
	{"array cut before its type", raw(v3, 0, 1, "abcdef", kArr), "0 left"},
	{"array cut before its length", raw(v3, 0, 1, "abcdef", kArr, kU8), "0 left"},
	{"array past the end", raw(v3, 0, 1, "a", kArr, kU8, 3, []byte{1, 2}), "3 bytes wanted"},
	{"array of a length that overflows", raw(v3, 0, 1, "a", kArr, kU32, u64(1<<62+1), u32(7)), "9223372036854775807 bytes wanted"},
	{"array of the longest length", raw(v3, 0, 1, "a", kArr, kBool, u64(math.MaxUint64)), "18446744073709551615 bytes wanted"},
	{"array of too many strings", raw(v3, 0, 1, "a", kArr, kStr, 3, "", ""), "an array of 3 strings in the 16 bytes left"},
	{"array with a string past the end", raw(v3, 0, 1, "a", kArr, kStr, 2, "", 1), "1 bytes wanted"},
	{"alignment 0", aligned(kU32, u32(0)), "general.alignment of uint32 0, want"},
	{"alignment 24", aligned(kU32, u32(24)), "general.alignment of uint32 24"},
	{"alignment 4", aligned(kU32, u32(4)), "general.alignment of uint32 4"},
	{"alignment of 128 KiB", aligned(kU32, u32(1<<17)), "general.alignment of uint32 131072"},
	{"alignment of 2 GiB", aligned(kU32, u32(1<<31)), "general.alignment of uint32 2147483648"},
	{"alignment in a uint8", aligned(kU8, []byte{32}), "general.alignment of uint8 32"},
	{"alignment in words", aligned(kStr, "32"), "general.alignment of string 32"},
	{"name past the end", raw(v3, 1, 0, u64(1<<40), make([]byte, 60)), "1099511627776 bytes wanted"},
	{"five extents", one(u32(5), 1, 1, 1, 1, 1, f32, 0), `tensor 0 of 1, "x": 5 extents, want at most 4`},
	{"very many extents", one(u32(math.MaxUint32)), "4294967295 extents"},
	{"extent 0", one(u32(2), 0, 3, f32, 0), "shape [3 0], want extents from 1 on"},
	{"extent past int", one(u32(1), u64(1<<63), f32, 0), "an extent of 9223372036854775808"},
	{"product past 64 bits", one(u32(2), 1<<32, 1<<32, f32, 0), "a product that fits"},
	{"product past 64 bits, four", one(u32(4), 1<<16, 1<<16, 1<<16, 1<<17, f32, 0), "a product that fits"},
	{"bytes past 63 bits", one(u32(1), 1<<61, f32, 0), "a product that fits"},
	{"Q2_K", one(u32(1), 256, u32(10), 0), `"x": type 10 (Q2_K), want one of F32 F16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K`},
	{"IQ4_XS", one(u32(1), 256, u32(23), 0), `"x": type 23 (IQ4_XS), want one of`},
	{"a type of no name", one(u32(1), 256, u32(4), 0), `"x": type 4, want one of`},
	{"an unknown type", one(u32(1), 256, u32(math.MaxUint32), 0), `"x": type 4294967295, want`},
	{"part of a block", one(u32(2), 31, 32, u32(Q4_0), 0), `"x": rows of 31 values, want a multiple of 32`},
	{"part of a long block", one(u32(1), 128, u32(Q4_K), 0), `"x": rows of 128 values, want a multiple of 256`},
	{"data past the end", one(u32(1), 128, f32, 0), `"x": 512 bytes from offset 0 in a file of`},
	{"data past the end by 1 float32", raw(v3, 1, 0, "x", u32(1), 2, f32, 0, make([]byte, 7+4)), "8 bytes wanted at byte 64, 4 left"},
	{"data huge", one(u32(1), 1<<40, f32, 0), "4398046511104 bytes from offset 0"},
	{"offset past the end", one(u32(1), 1, f32, 1<<40), "offset 1099511627776, want 0"},
	{"negative offset", one(u32(1), 1, f32, u64(math.MaxUint64-31)), "offset 18446744073709551584, want 0"},
	{"unaligned offset", one(u32(1), 1, f32, 4), "offset 4, want 0"},
	{"no tensor but a count", raw(v3, 1, 0, make([]byte, 20)), "want"},
	{"overlap", one(u32(1), 8, f32, 0, "y", u32(1), 8, f32, 0), "offset 0, want 32"},
	{"gap", one(u32(1), 8, f32, 0, "y", u32(1), 8, f32, 64), "offset 64, want 32"},
	{"name twice", one(u32(1), 8, f32, 0, "x", u32(1), 8, f32, 32), `tensors: "x" twice`},
}

func init() { // these have two tensors
	for i, h := range hostile {
		if h.name == "overlap" || h.name == "gap" || h.name == "name twice" {
			hostile[i].file[8] = 2
		}
	}
}

// TestHostile checks that each file is refused with one line, and with little memory.
func TestHostile(t *testing.T) {
	for _, c := range hostile {
		f, err := Parse(c.file)
		if err == nil || f != nil {
			t.Errorf("%s: Parse took %q", c.name, c.file)
			continue
		}
		s := err.Error()
		if !strings.HasPrefix(s, "gguf: Parse: ") || !strings.Contains(s, c.want) || strings.Contains(s, "\n") || len(s) > 300 {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestTruncated cuts a good file at each byte of its header and at many bytes of its data.
func TestTruncated(t *testing.T) {
	b := golden(t)
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	last := f.Tensors[len(f.Tensors)-1]
	end := len(b) - pad(len(last.Data), defaultAlignment)
	for n := 0; n < end; n += 1 + n/4096*37 {
		if _, err := Parse(b[:n]); err == nil {
			t.Fatalf("Parse took the first %d bytes of %d", n, len(b))
		}
	}
	if _, err := Parse(b[:end]); err != nil {
		t.Errorf("Parse without the padding of the last tensor: %v", err)
	}
}

// TestMemory checks what Parse allocates for files with many small things, and for files whose counts lie.
func TestMemory(t *testing.T) {
	const n = 1 << 15
	many := func(tensors, keys int, part func(i int) []any) []byte {
		b := raw(v3, tensors, keys)
		for i := range n {
			b = append(b, raw(part(i)...)[len(magic):]...)
		}
		return b
	}
	name := func(i int) string { return string([]byte{byte(i >> 10), byte(i>>5) & 31, byte(i) & 31}) }
	slots := append(raw(v3, n+1, 0), make([]byte, n*(minTensor+defaultAlignment))...)
	for _, c := range []struct {
		name string
		file []byte
		ok   bool
	}{
		{"bools", many(0, n, func(i int) []any { return []any{name(i), kBool, []byte{1}} }), true},
		{"numbers", many(0, n, func(i int) []any { return []any{name(i), kU32, u32(1 << 20)} }), true},
		{"empty strings", many(0, n, func(i int) []any { return []any{name(i), kStr, ""} }), true},
		{"empty arrays", many(0, n, func(i int) []any { return []any{name(i), kArr, kU32, 0} }), true},
		{"arrays of a string", many(0, n, func(i int) []any { return []any{name(i), kArr, kStr, 1, "s"} }), true},
		{"scalars", append(setAlignment8(many(n, 1, func(i int) []any { return []any{name(i), u32(0), f32, 8 * i} })), make([]byte, 8*n+8)...), true},
		{"an array of empty strings", raw(v3, 0, 1, "a", kArr, kStr, n, make([]byte, 8*n)), true},
		{"an array of bytes", raw(v3, 0, 1, "a", kArr, kU8, n, make([]byte, n)), true},
		{"a count of keys that lies", append(raw(v3, 0, n), make([]byte, n*minKV)...), false},
		{"a count of tensors that lies", slots, false},
		{"strings that end early", raw(v3, 0, 1, "a", kArr, kStr, n, make([]byte, 8*n-1), []byte{1}), false},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(c.file)
		runtime.ReadMemStats(&after)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(c.file)); got > 2.6 {
			t.Errorf("%s: allocated %.2f bytes for each of the file's, want at most 2.6", c.name, got)
		} else {
			t.Logf("%s: %.2f bytes for each of %d", c.name, got, len(c.file))
		}
	}
}

// setAlignment8 puts general.alignment = 8 before the tensors of a file that has 1 key.
func setAlignment8(b []byte) []byte {
	key := raw(alignmentKey, kU32, u32(8))[len(magic):]
	return append(append(append([]byte{}, b[:24]...), key...), b[24:]...)
}

// FuzzParse gives Parse any bytes. They are an error, or a file whose tensors decode. Such a file, written, read and
// written again, gives the same bytes.
func FuzzParse(f *testing.F) {
	for _, c := range hostile {
		f.Add(c.file)
	}
	f.Add(golden(f))
	f.Add(aligned(kU32, u32(8)))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := Write(&once, file.Meta, file.Tensors); err != nil {
			t.Fatalf("Write of what was read: %v", err)
		}
		again, err := Parse(once.Bytes())
		if err != nil {
			t.Fatalf("Parse of what was written: %v", err)
		}
		if err := Write(&twice, again.Meta, again.Tensors); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("written twice it differs: %v", err)
		}
		for _, x := range file.Tensors {
			err := x.Decode(make([]float32, x.Len()), 0, x.Rows())
			if (err == nil) != (x.Type.layout().decode != nil) {
				t.Fatalf("%s%v: %v", x.Type, x.Shape, err)
			}
		}
	})
}
