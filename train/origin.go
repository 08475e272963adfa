package train

import (
	"strings"

	"github.com/pkg/errors"
)

// sameData refuses to go on with other data than the checkpoint's run has learned from. With Trainer.DataChanged it
// warns. A checkpoint without digests, an older one, goes on with a warning.
func (l *Loop) sameData(path string, at *progress) error {
	want := l.set.Digests
	if len(want) == 0 {
		return nil
	}
	if len(at.Digests) == 0 {
		l.set.warn(path + " is older and has no digest of its data: whether the run goes on with the same data is not known")
		return nil
	}
	var differ []string
	for _, name := range sortedKeys(want) {
		if at.Digests[name] != want[name] {
			differ = append(differ, name)
		}
	}
	for _, name := range sortedKeys(at.Digests) {
		if _, ok := want[name]; !ok {
			differ = append(differ, name)
		}
	}
	what := strings.Join(differ, ", ")
	switch {
	case what == "":
		return nil
	case !l.set.DataChanged:
		return errors.Errorf("train: resume: not the same data as in %s: changed are %s; bring back what was, or go on all the same with --data-changed",
			path, what)
	}
	l.set.warn("the run goes on with other data than it began with: changed are " + what)
	at.Position.Examples = l.src.Len()
	return nil
}
