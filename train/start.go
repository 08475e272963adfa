package train

import (
	"hash/crc32"

	"github.com/ceto-ml/ceto/graph"
)

// kept lists the parameters and buffers that checkpoints and snapshots keep. They leave out the parameters in rest,
// which with Trainer.From are those that stay frozen to the end. Buffers may change where all parameters are frozen.
func (l *Loop) kept() (names, rest []string) {
	for _, name := range l.Run.State.Names(graph.Param) {
		if p := l.Run.State.Params.Get(name); l.set.From != nil && p != nil && !l.set.changes(p) {
			rest = append(rest, name)
		} else {
			names = append(names, name)
		}
	}
	return append(names, l.Run.State.buffers()...), rest
}

// begin gives the parameters the values that training starts from, and notes a checksum of those that checkpoints leave
// out.
func (l *Loop) begin() error {
	if err := l.Run.init(&l.set); err != nil || l.folder == nil {
		return err
	}
	_, rest := l.kept()
	sum := crc32.New(castagnoli)
	for _, name := range rest {
		b, err := l.Run.State.value(name)
		if err != nil {
			return err
		}
		sum.Write([]byte(name))
		sum.Write(b.Mem)
	}
	l.at.Frozen = sum.Sum32()
	return nil
}
