package faultfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type changeOp int

const (
	created   changeOp = iota // a file or folder a
	wrote                     // to file a, which had size bytes
	renamed                   // a to b
	exchanged                 // a and b
	removed                   // a, which lies at b in the trash
)

// change is something that does not last yet. Its names are those of when it happened, but for what lasts since.
type change struct {
	op   changeOp
	a, b string
	size int64
}

func (f *FS) log(c change) { f.changes = append(f.changes, c) }

// move returns where the change takes a name.
func (c change) move(name string) string {
	switch {
	case c.op == created || c.op == wrote:
	case within(name, c.a):
		return c.b + name[len(c.a):]
	case c.op == exchanged && within(name, c.b):
		return c.a + name[len(c.b):]
	}
	return name
}

func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+string(filepath.Separator))
}

// now returns what has become of a name of change i.
func (f *FS) now(i int, name string) string {
	for _, c := range f.changes[i+1:] {
		name = c.move(name)
	}
	return name
}

// drop forgets changes that last from now on; name is the one that they changed, as it is now.
func (f *FS) drop(lasts func(c change, name string) bool) {
	var kept []change
	drop := make([]bool, len(f.changes))
	for i, c := range f.changes {
		name := c.a
		if c.op == renamed {
			name = c.b
		}
		if c.op != removed {
			name = f.now(i, name)
		}
		drop[i] = lasts(c, name)
	}
	for i, c := range f.changes {
		if !drop[i] {
			kept = append(kept, c)
			continue
		}
		for j := range kept {
			kept[j].a, kept[j].b = c.move(kept[j].a), c.move(kept[j].b)
		}
	}
	f.changes = kept
}

// keepNames makes the changes of names in a folder last.
func (f *FS) keepNames(folder string) {
	f.drop(func(c change, name string) bool { return c.op != wrote && filepath.Dir(name) == folder })
}

// putAway removes a name, so that it can come back where a crash may lose names.
func (f *FS) putAway(name string) error {
	if f.kind != CrashAll {
		f.drop(func(_ change, n string) bool { return within(n, name) })
		return f.under.RemoveAll(name)
	}
	if _, err := os.Lstat(name); err != nil {
		return nil // there is none: no error of RemoveAll, and Create will say what it thinks of it
	}
	if f.trash == "" {
		trash, err := os.MkdirTemp("", "faultfs")
		if err != nil {
			return err
		}
		f.trash = trash
	}
	c := change{op: removed, a: name, b: filepath.Join(f.trash, strconv.Itoa(f.ops))}
	if err := os.Rename(c.a, c.b); err != nil {
		return err
	}
	f.log(c)
	return nil
}

// lose undoes what does not last, the newest first.
func (f *FS) lose() {
	for i := len(f.changes) - 1; i >= 0; i-- {
		c := f.changes[i]
		var err error
		switch {
		case f.kind == CrashData && c.op == wrote:
			err = os.Truncate(f.now(i, c.a), c.size)
		case f.kind == CrashAll:
			err = f.revert(c)
		}
		if err != nil && f.err == nil {
			f.err = err
		}
	}
}

func (f *FS) revert(c change) error {
	switch c.op {
	case created:
		return os.RemoveAll(c.a)
	case wrote:
		return os.Truncate(c.a, c.size)
	case exchanged:
		return f.under.Exchange(c.a, c.b)
	}
	return os.Rename(c.b, c.a)
}
