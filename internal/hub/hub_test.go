package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	repo    = "owner/model"
	commitA = "0123456789abcdef0123456789abcdef01234567"
)

// server is a hub on this machine that has one repository.
type server struct {
	*httptest.Server
	t     *testing.T
	files map[string][]byte
	lfs   map[string]bool // by name

	mu   sync.Mutex
	asks []http.Header // of the requests for files

	onList func(w http.ResponseWriter, r *http.Request, n int) bool // true if it answered
	onFile func(w http.ResponseWriter, r *http.Request, n int) bool // n counts from 1
	lists  int
}

// text returns n bytes that differ from place to place.
func text(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func newServer(t *testing.T) *server {
	s := &server{t: t, lfs: map[string]bool{"model.safetensors": true}, files: map[string][]byte{
		"config.json": []byte(`{"model_type":"llama"}`), "model.safetensors": text(5000), "README.md": []byte("hello"),
		"onnx/model.onnx": []byte("x"), "sub/a.Q4_1.gguf": []byte("gguf"), "empty.txt": {}, "a b#%ä.txt": []byte("odd"),
	}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	list := strings.HasPrefix(r.URL.Path, "/api/")
	if list {
		s.lists++
	} else {
		s.asks = append(s.asks, r.Header.Clone())
	}
	lists, asks := s.lists, len(s.asks)
	s.mu.Unlock()
	if list {
		if s.onList == nil || !s.onList(w, r, lists) {
			s.serveList(w)
		}
		return
	}
	if s.onFile == nil || !s.onFile(w, r, asks) {
		s.serveFile(w, r)
	}
}

// asked returns the headers of the requests for files so far.
func (s *server) asked() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks
}

// listed returns how often the list was asked for.
func (s *server) listed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

func (s *server) serveList(w http.ResponseWriter) {
	type sibling map[string]any
	var all []sibling
	for name, b := range s.files {
		f := sibling{"rfilename": name, "size": len(b), "blobId": gitHash(b)}
		if s.lfs[name] {
			f["blobId"] = gitHash([]byte("pointer"))
			f["lfs"] = map[string]any{"sha256": sha(b), "size": len(b), "pointerSize": 130}
		}
		all = append(all, f)
	}
	json.NewEncoder(w).Encode(map[string]any{"id": repo, "sha": commitA, "siblings": all})
}

func (s *server) name(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Path, "/"+repo+"/resolve/"+commitA+"/")
}

func (s *server) serveFile(w http.ResponseWriter, r *http.Request) {
	b, ok := s.files[s.name(r)]
	if !ok {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		http.Error(w, "", 404)
		return
	}
	w.Header().Set("ETag", `"`+sha(b)+`"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(b)))
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func gitHash(b []byte) string {
	h := newHash(File{Size: int64(len(b))})
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// client returns a client of the server with short waits. Its messages go to *notes.
func (s *server) client(notes *[]string) *Client {
	return &Client{Endpoint: s.URL, Token: "secret", Cache: s.t.TempDir(), stall: 10 * time.Second, pause: time.Millisecond,
		HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, // else net/http may try again by itself
		Note: func(m string) {
			if notes != nil {
				*notes = append(*notes, m)
			}
		}}
}

// same checks that a file of a snapshot is complete and is a relative link to its blob.
func same(t *testing.T, s *server, dir, name string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || string(got) != string(s.files[name]) {
		t.Errorf("%s: %d bytes, %v; want the %d of the hub", name, len(got), err, len(s.files[name]))
	}
	to, err := os.Readlink(filepath.Join(dir, name))
	if want := "../../blobs/"; err != nil || !strings.HasPrefix(to, strings.Repeat("../", strings.Count(name, "/"))+want) {
		t.Errorf("%s links to %q, %v; want a relative link into blobs", name, to, err)
	}
}

func TestPull(t *testing.T) {
	for _, c := range []struct {
		patterns string
		want     string
	}{
		{"", "config.json model.safetensors"},
		{"*.md", "README.md"},
		{"*%?.txt", "a b#%ä.txt"},
		{"sub/*.Q4_1.gguf empty.txt", "empty.txt sub/a.Q4_1.gguf"},
	} {
		s := newServer(t)
		k := s.client(nil)
		var announced []string
		var bytes, done int64
		k.Announce = func(files []File) {
			announced = nil
			for _, f := range files {
				announced, bytes = append(announced, f.Name), bytes+f.Size
			}
		}
		k.Progress = func(_ string, d, total int64) {
			if d == total {
				done += d
			}
		}
		dir, err := k.Pull(context.Background(), repo, "main", strings.Fields(c.patterns))
		if err != nil {
			t.Errorf("%q: %v", c.patterns, err)
			continue
		}
		if got := strings.Join(announced, " "); got != c.want {
			t.Errorf("%q: announced %q, want %q", c.patterns, got, c.want)
		}
		if bytes != done {
			t.Errorf("%q: announced %d bytes, progress %d", c.patterns, bytes, done)
		}
		for _, f := range announced {
			same(t, s, dir, f)
		}
		n := len(s.asked())
		if again, err := k.Pull(context.Background(), repo, "", strings.Fields(c.patterns)); err != nil || again != dir || len(s.asked()) != n {
			t.Errorf("%q: second Pull: %q %v, %d more requests", c.patterns, again, err, len(s.asked())-n)
		}
		k.Offline, k.Endpoint = true, "http://127.0.0.1:1"
		if again, err := k.Pull(context.Background(), repo, "main", strings.Fields(c.patterns)); err != nil || again != dir {
			t.Errorf("%q: offline Pull: %q %v", c.patterns, again, err)
		}
		if left := names(t, k.Cache, incomplete, ".ceto-tmp"); left != nil {
			t.Errorf("%q: left over: %v", c.patterns, left)
		}
	}
}

// TestRevision fetches a branch with a slash in its name, and checks that its commit is noted.
func TestRevision(t *testing.T) {
	s := newServer(t)
	asked := ""
	s.onList = func(_ http.ResponseWriter, r *http.Request, _ int) bool { asked = r.RequestURI; return false }
	c := s.client(nil)
	if _, err := c.Pull(context.Background(), repo, "refs/pr/1", one); err != nil || asked != "/api/models/owner/model/revision/refs%2Fpr%2F1?blobs=true" {
		t.Errorf("asked for %s, %v", asked, err)
	}
	if b, err := os.ReadFile(filepath.Join(c.Cache, "models--owner--model/refs/refs/pr/1")); string(b) != commitA {
		t.Errorf("the ref is %q, %v", b, err)
	}
}

// names lists the files of a folder that have one of the endings.
func names(t *testing.T, dir string, endings ...string) (found []string) {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		for _, e := range endings {
			if strings.HasSuffix(path, e) {
				found = append(found, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// part answers with bytes of the model and a header that may announce other ones.
func part(w http.ResponseWriter, b []byte, status int, header map[string]string) {
	for k, v := range header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(status)
	w.Write(b)
	w.(http.Flusher).Flush()
}

// cut ends the connection.
func cut() { panic(http.ErrAbortHandler) }

func length(n int) map[string]string { return map[string]string{"Content-Length": strconv.Itoa(n)} }

func ranged(lo, hi, n int, etag string) map[string]string {
	return map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", lo, hi, n), "ETag": etag}
}
