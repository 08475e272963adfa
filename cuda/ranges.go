package cuda

import "github.com/ceto-ml/ceto/cuda/emu"

// emulatedRanges are spans as the emulated GPU takes them.
func emulatedRanges(spans []span) []emu.Range {
	list := make([]emu.Range, len(spans))
	for i, s := range spans {
		list[i] = emu.Range{Name: s.name, Ptr: emu.Ptr(s.at), Bytes: s.bytes, Row: s.row, Stride: s.stride}
		for _, a := range []struct {
			ours   access
			theirs emu.Access
		}{{reads, emu.Reads}, {writes, emu.Writes}, {fresh, emu.Fresh}} {
			if s.access&a.ours != 0 {
				list[i].Access |= a.theirs
			}
		}
	}
	return list
}
