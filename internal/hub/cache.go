package hub

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/pkg/errors"
)

// store is the part of a cache that holds one repository.
type store struct{ cache, repo string }

func (s store) name() string { return "models--" + strings.ReplaceAll(s.repo, "/", "--") }

func (s store) blob(hash string) string { return filepath.Join(s.cache, s.name(), "blobs", hash) }

func (s store) lock(hash string) string {
	return filepath.Join(s.cache, ".locks", s.name(), hash+".lock")
}

func (s store) snapshot(commit string) string {
	return filepath.Join(s.cache, s.name(), "snapshots", commit)
}

func (s store) file(commit, name string) string {
	return filepath.Join(s.snapshot(commit), filepath.FromSlash(name))
}

func (s store) ref(revision string) string {
	return filepath.Join(s.cache, s.name(), "refs", filepath.FromSlash(revision))
}

// sized tells whether path is a file of that many bytes.
func sized(path string, size int64) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Size() == size
}

// link gives a blob the file's name in the snapshot of a commit. The link is relative, so that a cache can be moved.
func (s store) link(commit string, f File) error {
	path := s.file(commit, f.Name)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return errors.WithStack(err)
	}
	blob, err := filepath.Rel(dir, s.blob(f.Hash))
	if err != nil {
		return errors.WithStack(err)
	}
	tmp := path + atomicfile.TmpSuffix
	if err := atomicfile.OS.RemoveAll(tmp); err != nil {
		return errors.WithStack(err)
	}
	if err := os.Symlink(blob, tmp); err != nil {
		return errors.WithStack(err)
	}
	if err := atomicfile.OS.Rename(tmp, path); err != nil {
		return errors.WithStack(err)
	}
	return errors.WithStack(atomicfile.OS.SyncDir(dir))
}

// setRef notes the commit of a branch or tag.
func (s store) setRef(revision, commit string) error {
	if revision == commit {
		return nil
	}
	path := s.ref(revision)
	if b, err := os.ReadFile(path); err == nil && string(b) == commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return errors.WithStack(err)
	}
	return atomicfile.WriteFile(atomicfile.OS, path, func(w io.Writer) error {
		_, err := io.WriteString(w, commit)
		return err
	})
}

// commit returns the commit that a revision was when it was last fetched, or "".
func (s store) commit(revision string) string {
	if commitID.MatchString(revision) {
		return revision
	}
	f, err := os.Open(s.ref(revision))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 100))
	if id := strings.TrimSpace(string(b)); err == nil && commitID.MatchString(id) {
		return id
	}
	return ""
}

// offline returns the snapshot of a revision and its files that match patterns.
func (s store) offline(revision string, patterns []string) (string, []File, error) {
	missing := func(err error) error {
		return errors.WithMessagef(err, "hub: %s@%s is not in %s, and HF_HUB_OFFLINE is set", s.repo, revision, s.cache)
	}
	commit := s.commit(revision)
	if commit == "" {
		return "", nil, missing(fs.ErrNotExist)
	}
	all, err := s.files(commit)
	if err != nil {
		return "", nil, missing(err)
	}
	files, err := choose(all, patterns)
	if err == nil && len(patterns) == 0 {
		err = shards(files)
	}
	if err != nil {
		return "", nil, missing(err)
	}
	return s.snapshot(commit), files, nil
}

// files lists the files of a snapshot. A link to a blob that is gone is left out.
func (s store) files(commit string) ([]File, error) {
	var files []File
	root := s.snapshot(commit)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, atomicfile.TmpSuffix) {
			return err
		}
		st, err := os.Stat(path)
		if err != nil || !st.Mode().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		hash := ""
		if blob, err := os.Readlink(path); err == nil && hexHash.MatchString(filepath.Base(blob)) {
			hash = filepath.Base(blob)
		}
		files = append(files, File{filepath.ToSlash(name), st.Size(), hash, true})
		return nil
	})
	return files, errors.WithStack(err)
}

var shard = regexp.MustCompile(`^(.*-)\d{5}-of-(\d{5})(\.\w+)$`)

// shards refuses a list that has some shards of a model but not all.
func shards(files []File) error {
	here := map[string]bool{}
	for _, f := range files {
		here[f.Name] = true
	}
	for _, f := range files {
		m := shard.FindStringSubmatch(f.Name)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[2]) // five digits
		for i := 1; i <= n; i++ {
			if name := fmt.Sprintf("%s%05d-of-%s%s", m[1], i, m[2], m[3]); !here[name] {
				return errors.Errorf("%s is missing", name)
			}
		}
	}
	return nil
}

// find returns the folder of a snapshot with weights. It is that of the revision or, if the user named no revision,
// the newest one.
func (s store) find(revision string, named bool) (string, error) {
	if c := s.commit(revision); c != "" && s.usable(c) {
		return s.snapshot(c), nil
	}
	best, when := "", time.Time{}
	if !named {
		entries, err := os.ReadDir(filepath.Dir(s.snapshot("x")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", errors.Wrap(err, "hub")
		}
		for _, e := range entries {
			if i, err := e.Info(); err == nil && commitID.MatchString(e.Name()) && i.ModTime().After(when) && s.usable(e.Name()) {
				best, when = s.snapshot(e.Name()), i.ModTime()
			}
		}
	}
	if best == "" {
		return "", errors.Wrapf(fs.ErrNotExist, "hub: no weights of %s@%s in %s; ceto pull fetches them", s.repo, revision, s.cache)
	}
	return best, nil
}

// usable tells whether a snapshot has weights, with all of their shards.
func (s store) usable(commit string) bool {
	files, err := s.files(commit)
	return err == nil && shards(files) == nil && slices.ContainsFunc(files, func(f File) bool { return isWeights(f.Name) })
}
