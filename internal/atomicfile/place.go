package atomicfile

import (
	"path/filepath"

	"github.com/pkg/errors"
)

// Place gives the folder tmp, whose files are synced, the name path. An old folder of that name is replaced in one
// step. With an error see [Dir].
func Place(fsys FS, tmp, path string) error {
	path = filepath.Clean(path)
	err := restore(fsys, path)
	if err == nil {
		err = RemoveRest(fsys, path+OldSuffix)
	}
	if err == nil {
		err = fsys.SyncDir(tmp)
	}
	if err == nil {
		err = place(fsys, tmp, path)
	}
	return errors.Wrapf(err, "atomicfile: Place: %s", path)
}
