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

// incomplete is the ending of a blob that is not whole, huggingface_hub's.
const incomplete = ".incomplete"

// fetch gives the snapshot of commit file f, from the cache or the hub.
func (c *Client) fetch(ctx context.Context, s store, commit string, f File) error {
	if sized(s.file(commit, f.Name), f.Size) {
		return nil
	}
	unlock, err := c.lock(ctx, s.lock(f.Hash), f.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if !sized(s.blob(f.Hash), f.Size) { // nor did another process fetch it while this one waited
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

// lock takes the lock of a blob, and waits while another process has it.
func (c *Client) lock(ctx context.Context, path, name string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, errors.WithStack(err)
	}
	for told := false; ; told = true {
		l, err := atomicfile.Lock(path)
		if err == nil {
			return func() { l.Unlock() }, nil // what it kept safe lasts already
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

// download is a file on its way.
type download struct {
	c    *Client
	url  string
	file File
	out  *os.File  // the unfinished blob
	sum  hash.Hash // of what out holds
	off  int64     // bytes that out holds
	far  int64     // bytes: the largest off that counted as a new piece
	etag string    // of the answer that they came from, where this process got it
	bad  bool      // the whole file came once with a wrong hash
}

// run fetches the blob path: it goes on with what is there of it.
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
	if e := d.out.Sync(); err == nil { // also what a failure leaves, to go on from
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

// noRoom says what to do about a disk that is full.
func noRoom(err error, path string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.WithMessagef(err, "no room on the disk of %s; make some, or set HF_HOME to a folder on another disk, and run the command again", filepath.Dir(path))
	}
	return errors.WithStack(err)
}

// newHash returns the hash that a file's blob is named by. Source: gitformat-loose(5) for the one of git.
func newHash(f File) hash.Hash {
	if len(f.Hash) == 2*sha256.Size {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h
}

// restart forgets what is there.
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

// resume takes in what an earlier process left.
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

// try asks for what is missing and checks the whole.
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

// accept makes sure that an answer's body goes on where out ends, or else starts over.
func (d *download) accept(resp *http.Response) error {
	etag := resp.Header.Get("ETag")
	if strings.HasPrefix(etag, "W/") {
		etag = "" // a weak one does not say that bytes are the same
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		if d.off > 0 { // the server has no ranges, or its file is another one now
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

// goesOn says whether a Content-Range is that of the missing bytes. Source: RFC 9110, section 14.4.
func (d *download) goesOn(contentRange string) bool {
	rest := fmt.Sprintf("bytes %d-%d/", d.off, d.file.Size-1)
	return contentRange == rest+fmt.Sprint(d.file.Size) || contentRange == rest+"*"
}
