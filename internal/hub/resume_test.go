package hub

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/pkg/errors"
)

// one is the pattern of the file that the tests below fetch.
var one = []string{"model.safetensors"}

// TestRedirects follows redirects, and checks that the token goes to the hub alone.
func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		name, err string
		to        func(s, other string, r *http.Request) string
		status    int // of the other host
		asksOther int
	}{
		{"other host", "", func(_, other string, r *http.Request) string { return other + r.URL.Path }, 200, 1},
		{"relative", "", func(_, _ string, r *http.Request) string { return "../../../../moved" + r.URL.Path }, 200, 0},
		{"back again", "", func(_, other string, r *http.Request) string { return other + "/back" + r.URL.Path }, 200, 1},
		{"gone there", "where the hub keeps the file, answers 404", func(_, other string, r *http.Request) string { return other + r.URL.Path }, 404, 1},
		{"signature too old", "answers 403; given up after 6 tries", func(_, other string, r *http.Request) string { return other + r.URL.Path }, 403, 6},
	} {
		s := newServer(t)
		asked := 0
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			for k := range r.Header {
				if strings.Contains(strings.Join(r.Header[k], ""), "secret") {
					t.Errorf("%s: the other host got the token in %s", c.name, k)
				}
			}
			if to, back := strings.CutPrefix(r.URL.Path, "/back/"); back {
				http.Redirect(w, r, s.URL+"/moved/"+to, 302)
			} else if c.status != 200 {
				w.WriteHeader(c.status)
			} else {
				s.serveFile(w, r)
			}
		}))
		t.Cleanup(other.Close)
		s.onFile = func(w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 1 && r.Header.Get("Authorization") != "Bearer secret" {
				t.Errorf("%s: the hub got Authorization %q", c.name, r.Header.Get("Authorization"))
			}
			if path, moved := strings.CutPrefix(r.URL.Path, "/moved"); moved {
				r.URL.Path = path
				return false
			}
			w.Header().Set("Location", c.to(s.URL, other.URL, r))
			w.WriteHeader(302)
			return true
		}
		dir, err := s.client(nil).Pull(context.Background(), repo, "main", one)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if asked != c.asksOther {
			t.Errorf("%s: the other host was asked %d times, want %d", c.name, asked, c.asksOther)
		}
		if err == nil {
			same(t, s, dir, one[0])
		}
	}
}

// TestNoDowngrade checks that a redirect away from https is not followed.
func TestNoDowngrade(t *testing.T) {
	plain := newServer(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL+r.URL.Path, 307)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the certificate that is refused below
	s.StartTLS()
	t.Cleanup(s.Close)
	c := plain.client(nil)
	c.Endpoint, c.HTTP = s.URL, s.Client()
	if _, err := c.Pull(context.Background(), repo, "main", one); err == nil || !strings.Contains(err.Error(), "without https") || plain.listed() != 0 {
		t.Errorf("error %v after %d requests without https", err, plain.listed())
	}
	c.HTTP = &http.Client{}
	if _, err := c.Pull(context.Background(), repo, "main", one); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown certificate: %v", err)
	}
}

// TestResume goes on from the bytes that an earlier process left.
func TestResume(t *testing.T) {
	model := text(5000)
	for _, c := range []struct {
		name string
		left []byte
		asks int
		rng  string // Range of the first request
		note string
	}{
		{"part", model[:3000], 1, "bytes=3000-", ""},
		{"all", model, 0, "", ""},
		{"too much", append(text(5000), 'x'), 1, "", ""},
		{"damaged part", wrong(model[:3000]), 2, "bytes=3000-", "the hash of what came"},
		{"damaged whole", wrong(model), 1, "", "the hash of what came"},
		{"nothing", nil, 1, "", ""},
	} {
		s := newServer(t)
		var notes []string
		k := s.client(&notes)
		blobs := filepath.Dir(store{k.Cache, repo}.blob("x"))
		if err := os.MkdirAll(blobs, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(blobs, sha(model)+incomplete), c.left, 0o666); err != nil {
			t.Fatal(err)
		}
		dir, err := k.Pull(context.Background(), repo, "main", one)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		same(t, s, dir, one[0])
		if len(s.asked()) != c.asks || c.asks > 0 && s.asked()[0].Get("Range") != c.rng {
			t.Errorf("%s: %d requests, want %d; Range of the first %q", c.name, len(s.asked()), c.asks, c.rng)
		}
		if all := strings.Join(notes, ""); !strings.Contains(all, c.note) || c.note == "" && all != "" {
			t.Errorf("%s: notes %q, want %q", c.name, all, c.note)
		}
		if left := names(t, k.Cache, incomplete); left != nil {
			t.Errorf("%s: left over: %v", c.name, left)
		}
	}
}

// TestLongWay fetches a file over a connection that is cut more often than maxTries, with a new piece each time.
func TestLongWay(t *testing.T) {
	s := newServer(t)
	b := text(9 * newPiece)
	s.files[one[0]] = b
	s.onFile = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n == 9 {
			return false
		}
		lo := (n - 1) * newPiece
		h := ranged(lo, len(b)-1, len(b), `"`+sha(b)+`"`)
		h["Content-Length"] = strconv.Itoa(len(b) - lo)
		status := http.StatusPartialContent
		if n == 1 {
			status = http.StatusOK
		}
		part(w, b[lo:lo+newPiece], status, h)
		cut()
		return true
	}
	dir, err := s.client(nil).Pull(context.Background(), repo, "main", one)
	if err != nil || len(s.asked()) != 9 {
		t.Fatalf("error %v after %d requests, want none after 9", err, len(s.asked()))
	}
	same(t, s, dir, one[0])
}

// TestNetError tells failures that may pass from those that will not.
func TestNetError(t *testing.T) {
	for _, c := range []struct {
		err   error
		again bool
		want  string
	}{
		{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}, false, "set HF_HUB_OFFLINE=1"},
		{&net.DNSError{Err: "server misbehaving", Name: "x", IsTemporary: true}, true, "connection failed"},
		{&tls.CertificateVerificationError{Err: errors.New("expired")}, false, "expired"},
		{refusal{errors.New("no")}, false, "no"},
		{io.ErrUnexpectedEOF, true, "cut"},
		{io.EOF, true, "connection failed"},
		{syscall.ECONNRESET, true, "connection reset"},
	} {
		got := netError(context.Background(), &url.Error{Op: "Get", URL: "https://host/secret", Err: c.err})
		var a again
		if errors.As(got, &a) != c.again || !strings.Contains(got.Error(), c.want) || strings.Contains(got.Error(), "secret") {
			t.Errorf("%v: %v, again %v; want %q, again %v", c.err, got, !c.again, c.want, c.again)
		}
	}
}

// TestCancel stops a Pull in the middle. The next one goes on from there.
func TestCancel(t *testing.T) {
	s := newServer(t)
	s.onFile = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n == 1 {
			part(w, s.files[one[0]][:2000], 200, length(5000))
			<-r.Context().Done()
		}
		return n == 1
	}
	var notes []string
	c := s.client(&notes)
	c.stall = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	c.Progress = func(_ string, done, _ int64) {
		if done == 2000 {
			cancel()
		}
	}
	if _, err := c.Pull(ctx, repo, "main", one); !errors.Is(err, context.Canceled) || notes != nil {
		t.Fatalf("error %v, notes %q; want context.Canceled and none", err, notes)
	}
	if left := names(t, c.Cache, incomplete); len(left) != 1 {
		t.Fatalf("left %v, want one unfinished file", left)
	}
	dir, err := c.Pull(context.Background(), repo, "main", one)
	if err != nil || s.asked()[1].Get("Range") != "bytes=2000-" {
		t.Fatalf("error %v, Range %q", err, s.asked()[1].Get("Range"))
	}
	same(t, s, dir, one[0])
}

// TestCancelWait stops a Pull that waits before its next try.
func TestCancelWait(t *testing.T) {
	s := newServer(t)
	s.onFile = func(w http.ResponseWriter, r *http.Request, n int) bool { w.WriteHeader(500); return true }
	c := s.client(nil)
	c.pause = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	c.Note = func(string) { cancel() }
	if _, err := c.Pull(ctx, repo, "main", one); !errors.Is(err, context.Canceled) || len(s.asked()) != 1 {
		t.Errorf("error %v after %d requests, want context.Canceled", err, len(s.asked()))
	}
}

// TestLock waits while another process fetches the same file, and then sends no request for it.
func TestLock(t *testing.T) {
	s := newServer(t)
	c := s.client(nil)
	st := store{c.Cache, repo}
	b := s.files[one[0]]
	if err := os.MkdirAll(filepath.Dir(st.lock("x")), 0o777); err != nil {
		t.Fatal(err)
	}
	l, err := atomicfile.Lock(st.lock(sha(b)))
	if err != nil {
		t.Skip(err)
	}
	c.Note = func(m string) {
		if !strings.Contains(m, "another process") {
			t.Errorf("note %q", m)
		}
		if err := os.MkdirAll(filepath.Dir(st.blob("x")), 0o777); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(st.blob(sha(b)), b, 0o666); err != nil {
			t.Error(err)
		}
		l.Unlock()
	}
	dir, err := c.Pull(context.Background(), repo, "main", one)
	if err != nil || len(s.asked()) != 0 {
		t.Fatalf("error %v, %d requests", err, len(s.asked()))
	}
	same(t, s, dir, one[0])
}

// TestDisk checks what Pull says about failures of the disk.
func TestDisk(t *testing.T) {
	for _, c := range []struct {
		name, err string
		do        func(st store, hash string) error
	}{
		{"full", "no room on the disk", func(st store, hash string) error {
			return os.Symlink("/dev/full", st.blob(hash)+incomplete)
		}},
		{"a file where the snapshots should be", "not a directory", func(st store, _ string) error {
			return os.WriteFile(filepath.Dir(st.snapshot("x")), nil, 0o666)
		}},
		{"no permission", "permission denied", func(st store, _ string) error { return os.Chmod(filepath.Dir(st.blob("x")), 0o555) }},
	} {
		if c.name == "full" && runtime.GOOS != "linux" || c.name == "no permission" && os.Geteuid() == 0 {
			t.Logf("%s: skipped: it needs Linux, or a user other than root", c.name)
			continue
		}
		s := newServer(t)
		k := s.client(nil)
		st := store{k.Cache, repo}
		if err := os.MkdirAll(filepath.Dir(st.blob("x")), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := c.do(st, sha(s.files[one[0]])); err != nil {
			t.Fatal(err)
		}
		_, err := k.Pull(context.Background(), repo, "main", one)
		if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if _, err := os.Stat(st.ref("main")); err == nil {
			t.Errorf("%s: refs/main is there", c.name)
		}
	}
}
