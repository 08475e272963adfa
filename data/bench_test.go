package data

import (
	"strings"
	"testing"
)

// BenchmarkNext draws batches of 12 windows of 64 tokens: nanoGPT's CPU setting.
func BenchmarkNext(b *testing.B) {
	for name, ids := range map[string]tokens{"uint16": {short: make([]uint16, 1<<20)}, "uint32": {wide: make([]uint32, 1<<20)}} {
		b.Run(name, func(b *testing.B) {
			d := &TextData{vocab: 65, context: 64, train: ids}
			s := d.Train(1)
			batch := NewBatch(s.Fields(), 12)
			b.SetBytes(12 * 64 * 2)
			for b.Loop() {
				if _, err := s.Next(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkText encodes 1 MB by character.
func BenchmarkText(b *testing.B) {
	parts := []document{{"a", []byte(strings.Repeat("to be or not to be\n", 1<<20/19))}}
	b.SetBytes(int64(len(parts[0].text)))
	for b.Loop() {
		t, err := TextOptions{}.newTokenizer(parts)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := t.Encode(parts[0].text); err != nil {
			b.Fatal(err)
		}
	}
}
