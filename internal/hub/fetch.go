package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/pkg/errors"
)

// incomplete is the ending of a blob that is not complete. huggingface_hub uses the same one.
const incomplete = ".incomplete"

// fetch puts the file f into the snapshot of a commit: from the cache, else from the hub.
func (c *Client) fetch(ctx context.Context, s store, commit string, f File) error {
	if sized(s.file(commit, f.Name), f.Size) {
		return nil
	}
	unlock, err := c.lock(ctx, s.lock(f.Hash), f.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if !sized(s.blob(f.Hash), f.Size) { // another process may have fetched it while this one waited
		base, err := c.endpoint()
		if err != nil {
			return err
		}
		d := &download{c: c, file: f, url: fmt.Sprintf("%s/%s/resolve/%s/%s", base, s.repo, commit, (&url.URL{Path: f.Name}).EscapedPath())}
		if err := d.run(ctx, s.blob(f.Hash)); err != nil {
			return err
		}
	}
	return s.link(commit, f)
}

// lock takes the lock of a blob. It waits while another process holds it.
func (c *Client) lock(ctx context.Context, path, name string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, errors.WithStack(err)
	}
	for told := false; ; told = true {
		l, err := atomicfile.Lock(path)
		if err == nil {
			return func() { l.Unlock() }, nil // the blob and its link are synced already
		}
		if !errors.Is(err, atomicfile.ErrInUse) {
			return nil, err
		}
		if !told {
			c.note(name + ": another process fetches it; waiting")
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.WithStack(ctx.Err())
		}
	}
}

// download is a file on its way here.
type download struct {
	c    *Client
	url  string
	file File
	out  *os.File  // the unfinished blob
	sum  hash.Hash // of the bytes in out
	off  int64     // bytes in out
	far  int64     // bytes: the largest off that counted as a new piece
	etag string    // of the answer that brought them, if this process asked for it
	bad  bool      // the whole file came once with a wrong hash
}

// run fetches the blob at path. It goes on from the bytes that are there already.
func (d *download) run(ctx context.Context, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return errors.WithStack(err)
	}
	if d.out, err = os.OpenFile(path+incomplete, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return errors.WithStack(err)
	}
	err = d.resume(ctx)
	if err == nil {
		d.progress()
		err = d.c.retry(ctx, d.file.Name, func() (bool, error) { return d.try(ctx) })
	}
	if e := d.out.Sync(); err == nil { // after a failure too: the next run goes on from it
		err = e
	}
	if e := d.out.Close(); err == nil {
		err = e
	}
	if err != nil {
		return noRoom(err, path)
	}
	if err := atomicfile.OS.Rename(path+incomplete, path); err != nil {
		return errors.WithStack(err)
	}
	return errors.WithStack(atomicfile.OS.SyncDir(filepath.Dir(path)))
}

// noRoom adds to the error of a full disk what to do about it.
func noRoom(err error, path string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.WithMessagef(err, "no room on the disk of %s; make some, or set HF_HOME to a folder on another disk, and run the command again", filepath.Dir(path))
	}
	return errors.WithStack(err)
}

// newHash returns the hash that names a file's blob. Source of git's: gitformat-loose(5).
func newHash(f File) hash.Hash {
	if len(f.Hash) == 2*sha256.Size {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h
}

// restart drops the bytes that are there.
func (d *download) restart() error {
	d.off, d.etag, d.sum = 0, "", newHash(d.file)
	if _, err := d.out.Seek(0, io.SeekStart); err != nil {
		return errors.WithStack(err)
	}
	if st, err := d.out.Stat(); err != nil || st.Size() == 0 {
		return errors.WithStack(err)
	}
	return errors.WithStack(d.out.Truncate(0))
}

// resume reads the bytes that an earlier process left, and goes on from them.
func (d *download) resume(ctx context.Context) error {
	st, err := d.out.Stat()
	if err != nil {
		return errors.WithStack(err)
	}
	left := st.Size()
	if left > d.file.Size {
		left = 0
	}
	if left == 0 {
		return d.restart()
	}
	d.sum = newHash(d.file)
	buf := make([]byte, 1<<20)
	for d.off < left {
		if ctx.Err() != nil {
			return errors.WithStack(ctx.Err())
		}
		n, err := io.ReadFull(d.out, buf[:min(int64(len(buf)), left-d.off)])
		if err != nil {
			return errors.WithStack(err)
		}
		d.sum.Write(buf[:n])
		d.off += int64(n)
	}
	d.far = d.off
	return nil
}

func (d *download) progress() {
	if d.c.Progress != nil {
		d.c.Progress(d.file.Name, d.off, d.file.Size)
	}
}

// try fetches the missing bytes and checks the hash of the whole file. more is true if it brought a new piece.
func (d *download) try(ctx context.Context) (more bool, err error) {
	if d.off < d.file.Size {
		err = d.read(ctx)
	}
	if d.off >= d.far+newPiece {
		d.far, more = d.off, true
	}
	if err != nil {
		return more, err
	}
	got := hex.EncodeToString(d.sum.Sum(nil))
	if got == d.file.Hash {
		return false, nil
	}
	if err := d.restart(); err != nil {
		return false, err
	}
	wrong := errors.Errorf("the hash of what came is %s, that of the hub's list %s", got, d.file.Hash)
	if d.bad {
		return false, errors.WithMessage(wrong, "came wrong twice")
	}
	d.bad = true
	return false, again{error: wrong}
}

// read asks the hub for the rest of the file and appends it.
func (d *download) read(ctx context.Context) error {
	ctx, alive, stop := d.c.watch(ctx)
	defer stop()
	header := http.Header{}
	if d.off > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.off))
		if d.etag != "" {
			header.Set("If-Range", d.etag)
		}
	}
	resp, err := d.c.get(ctx, d.url, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := d.accept(resp); err != nil {
		return err
	}
	buf := make([]byte, 1<<18)
	for {
		alive()
		n, err := resp.Body.Read(buf)
		if int64(n) > d.file.Size-d.off {
			if err := d.restart(); err != nil {
				return err
			}
			return errors.Errorf("the server sends more than the %d bytes of the hub's list", d.file.Size)
		}
		if _, err := d.out.Write(buf[:n]); err != nil {
			return errors.WithStack(err)
		}
		d.sum.Write(buf[:n])
		d.off += int64(n)
		d.progress()
		switch {
		case err == io.EOF && d.off < d.file.Size:
			return againf("the connection ended after %d of %d bytes", d.off, d.file.Size)
		case err == io.EOF:
			return nil
		case err != nil:
			return netError(ctx, err)
		}
	}
}

// accept checks that an answer's body begins where out ends. If it does not, accept starts over.
func (d *download) accept(resp *http.Response) error {
	etag := resp.Header.Get("ETag")
	if strings.HasPrefix(etag, "W/") {
		etag = "" // a weak ETag does not say that the bytes are the same
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		if d.off > 0 { // the server has no ranges, or the file changed
			if err := d.restart(); err != nil {
				return err
			}
		}
		if n := resp.ContentLength; n >= 0 && n != d.file.Size {
			return errors.Errorf("the server announces %d bytes, the hub's list %d", n, d.file.Size)
		}
	case resp.StatusCode != http.StatusPartialContent || !d.goesOn(resp.Header.Get("Content-Range")) || d.etag != "" && etag != d.etag:
		if err := d.restart(); err != nil {
			return err
		}
		return againf("the server's file changed, or it sent another part than was asked for (%d %.60q)", resp.StatusCode, resp.Header.Get("Content-Range"))
	}
	d.etag = etag
	return nil
}

// goesOn tells whether a Content-Range is that of the missing bytes. Source: RFC 9110, section 14.4.
func (d *download) goesOn(contentRange string) bool {
	rest := fmt.Sprintf("bytes %d-%d/", d.off, d.file.Size-1)
	return contentRange == rest+fmt.Sprint(d.file.Size) || contentRange == rest+"*"
}
