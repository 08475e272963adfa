package hub

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is how a server answers the requests for a file of 5000 bytes, and what Pull makes of the answers.
type fault struct {
	name string
	on   func(w http.ResponseWriter, r *http.Request, n int, b []byte) bool // answers the n-th request; false where the server shall answer as usual
	asks int                                                                // requests for the file
	ask  string                                                             // Range and If-Range of the second request
	err  string                                                             // part of the error, or "" where the file comes
	note string                                                             // part of a message meanwhile
	wait time.Duration                                                      // the least that it takes
}

// always answers every request with a status.
func always(status int, header map[string]string) func(http.ResponseWriter, *http.Request, int, []byte) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
		part(w, nil, status, header)
		return true
	}
}

// once answers the first request with fn.
func once(fn func(w http.ResponseWriter, r *http.Request, b []byte)) func(http.ResponseWriter, *http.Request, int, []byte) bool {
	return func(w http.ResponseWriter, r *http.Request, n int, b []byte) bool {
		if n == 1 {
			fn(w, r, b)
		}
		return n == 1
	}
}

// cutThen cuts the first answer after 2000 bytes, then answers the second request with fn.
func cutThen(fn func(w http.ResponseWriter, b []byte)) func(http.ResponseWriter, *http.Request, int, []byte) bool {
	return func(w http.ResponseWriter, _ *http.Request, n int, b []byte) bool {
		switch n {
		case 1:
			part(w, b[:2000], 200, map[string]string{"ETag": `"e1"`, "Content-Length": "5000"})
			cut()
		case 2:
			fn(w, b)
		}
		return n <= 2
	}
}

func wrong(b []byte) []byte {
	b = slices.Clone(b)
	b[1234] ^= 1
	return b
}

var faults = []fault{
	{name: "cut", asks: 2, ask: `bytes=2000- "e1"`, note: "cut", on: cutThen(func(w http.ResponseWriter, b []byte) {
		part(w, b[2000:], 206, ranged(2000, 4999, 5000, `"e1"`))
	})},
	{name: "ends early without a length", asks: 2, ask: "bytes=2000- ", note: "ended after 2000 of 5000 bytes",
		on: once(func(w http.ResponseWriter, _ *http.Request, b []byte) { part(w, b[:2000], 200, nil) })},
	{name: "weak etag", asks: 2, ask: "bytes=2000- ", on: once(func(w http.ResponseWriter, _ *http.Request, b []byte) {
		part(w, b[:2000], 200, map[string]string{"ETag": `W/"e"`})
	})},
	{name: "stall", asks: 2, ask: "bytes=2000- ", note: "nothing came", on: once(func(w http.ResponseWriter, r *http.Request, b []byte) {
		part(w, b[:2000], 200, length(5000))
		<-r.Context().Done()
	})},
	{name: "stall before the answer", asks: 2, note: "nothing came",
		on: once(func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() })},
	{name: "drops the connection", asks: 2, note: "connection failed", on: once(func(http.ResponseWriter, *http.Request, []byte) { cut() })},
	{name: "drops each connection", asks: 6, err: "given up after 6 tries", on: func(http.ResponseWriter, *http.Request, int, []byte) bool { cut(); return true }},
	{name: "announces more", asks: 1, err: "announces 6000 bytes", on: always(200, length(6000))},
	{name: "announces less", asks: 1, err: "announces 100 bytes", on: always(200, length(100))},
	{name: "sends more", asks: 1, err: "more than the 5000 bytes", on: once(func(w http.ResponseWriter, _ *http.Request, b []byte) {
		part(w, append(slices.Clone(b), 'x'), 200, nil)
	})},
	{name: "wrong bytes once", asks: 2, note: "the hash of what came", on: once(func(w http.ResponseWriter, _ *http.Request, b []byte) {
		part(w, wrong(b), 200, length(5000))
	})},
	{name: "wrong bytes", asks: 2, err: "came wrong twice", on: func(w http.ResponseWriter, _ *http.Request, _ int, b []byte) bool {
		part(w, wrong(b), 200, length(5000))
		return true
	}},
	{name: "wrong bytes after a cut", asks: 3, note: "the hash of what came", on: cutThen(func(w http.ResponseWriter, b []byte) {
		part(w, wrong(b[1000:])[1000:], 206, ranged(2000, 4999, 5000, `"e1"`)) // byte 2234
	})},
	{name: "etag changes, a part", asks: 3, note: "changed", on: cutThen(func(w http.ResponseWriter, b []byte) {
		part(w, make([]byte, 3000), 206, ranged(2000, 4999, 5000, `"e2"`))
	})},
	{name: "etag changes, the whole", asks: 2, on: cutThen(func(w http.ResponseWriter, b []byte) {
		part(w, b, 200, map[string]string{"ETag": `"e2"`})
	})},
	{name: "etag changes each time", asks: 6, err: "given up after 6 tries", on: func(w http.ResponseWriter, r *http.Request, n int, b []byte) bool {
		part(w, b[:2000], 200, map[string]string{"ETag": `"e` + strings.Repeat("x", n) + `"`, "Content-Length": "5000"})
		cut()
		return true
	}},
	{name: "another part", asks: 3, note: "another part", on: cutThen(func(w http.ResponseWriter, b []byte) {
		part(w, b[1000:], 206, ranged(1000, 4999, 5000, `"e1"`))
	})},
	{name: "another length", asks: 3, note: "another part", on: cutThen(func(w http.ResponseWriter, b []byte) {
		part(w, b[2000:], 206, ranged(2000, 4999, 9000, `"e1"`))
	})},
	{name: "no such range", asks: 3, note: "416", on: cutThen(func(w http.ResponseWriter, _ []byte) { part(w, nil, 416, nil) })},
	{name: "500 twice", asks: 3, note: "500", on: func(w http.ResponseWriter, _ *http.Request, n int, _ []byte) bool {
		return n < 3 && always(500, nil)(w, nil, 0, nil)
	}},
	{name: "503", asks: 6, err: "503; given up", on: always(503, nil)},
	{name: "429, then fine", asks: 2, note: "429; next try in 1s", wait: time.Second, on: once(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		part(w, nil, 429, map[string]string{"Retry-After": "1"})
	})},
	{name: "429 for an hour", asks: 1, err: "come back in 1h", on: always(429, map[string]string{"Retry-After": "3600"})},
	{name: "no file", asks: 1, err: "no such file (404)", on: always(404, map[string]string{"X-Error-Code": "EntryNotFound"})},
	{name: "gated", asks: 1, err: "gated (403) and the token does not open it", on: always(403, map[string]string{"X-Error-Code": "GatedRepo"})},
	{name: "teapot", asks: 1, err: "418", on: always(418, map[string]string{"X-Error-Message": strings.Repeat("tea ", 999)})},
	{name: "redirects in a circle", asks: 11, err: "more than 10 redirects", on: func(w http.ResponseWriter, r *http.Request, n int, _ []byte) bool {
		http.Redirect(w, r, r.URL.Path, 302)
		return true
	}},
}

func TestFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			b := s.files["model.safetensors"]
			s.onFile = func(w http.ResponseWriter, r *http.Request, n int) bool { return f.on(w, r, n, b) }
			var notes []string
			c := s.client(&notes)
			if strings.HasPrefix(f.name, "stall") {
				note, long := c.Note, c.stall
				c.stall = 200 * time.Millisecond
				c.Note = func(m string) { c.stall = long; note(m) } // on a busy machine the second answer may be late
			}
			start := time.Now()
			dir, err := c.Pull(context.Background(), repo, "main", []string{"model.safetensors"})
			if took := time.Since(start); took < f.wait {
				t.Errorf("took %v, want at least %v", took, f.wait)
			}
			if f.err == "" && err != nil || f.err != "" && (err == nil || !strings.Contains(err.Error(), f.err)) {
				t.Errorf("error %v, want %q", err, f.err)
			}
			if len(s.asked()) != f.asks {
				t.Errorf("%d requests, want %d; notes %q", len(s.asked()), f.asks, notes)
			} else if h := s.asked()[min(1, f.asks-1)]; f.ask != "" && h.Get("Range")+" "+h.Get("If-Range") != f.ask {
				t.Errorf("second request has Range %q, If-Range %q; want %q", h.Get("Range"), h.Get("If-Range"), f.ask)
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, f.note) {
				t.Errorf("notes %q, want %q", all, f.note)
			}
			if err == nil {
				same(t, s, dir, "model.safetensors")
				return
			}
			if m := err.Error(); strings.Contains(m, "\n") || len(m) > 380 {
				t.Errorf("error of %d bytes is no line: %q", len(m), m)
			}
			if in := names(t, c.Cache, sha(b), "model.safetensors", "refs/main"); in != nil {
				t.Errorf("in place after a failure: %v", in)
			}
		})
	}
}

func TestListFaults(t *testing.T) {
	gated := map[string]string{"X-Error-Code": "GatedRepo"}
	for _, f := range []struct {
		name   string
		status int
		header map[string]string
		token  string
		body   string
		lists  int
		err    string
	}{
		{"401", 401, nil, "", "", 1, "no such repository, or it is private (401): check the name, or set HF_TOKEN"},
		{"401 token", 401, nil, "t", "", 1, "refuses access (401): set HF_TOKEN"},
		{"401 gated", 401, gated, "", "", 1, "gated (401): accept its terms on its page at 127.0.0.1"},
		{"403 gated", 403, gated, "t", "", 1, "gated (403) and the token does not open it"},
		{"403", 403, nil, "t", "", 1, "set HF_TOKEN"},
		{"no repository", 404, map[string]string{"X-Error-Code": "RepoNotFound"}, "t", "", 1, "no such repository (404)"},
		{"no revision", 404, map[string]string{"X-Error-Code": "RevisionNotFound"}, "t", "", 1, "no such revision (404)"},
		{"no hub", 404, nil, "", "", 1, "knows no"},
		{"500", 500, nil, "", "", 6, "500; given up after 6 tries"},
		{"HTML", 200, nil, "", "<html>", 1, "is HF_ENDPOINT right?"},
		{"no commit", 200, nil, "", `{"sha":"../../x"}`, 1, "no commit"},
		{"short commit", 200, nil, "", `{"sha":"0123456"}`, 1, "no commit"},
		{"no list", 200, nil, "", `{"sha":"` + commitA + `","siblings":7}`, 1, "is no list"},
		{"null list", 200, nil, "", `{"sha":"` + commitA + `"}`, 1, "no .safetensors"},
		{"no hash", 200, nil, "", listOf(`{"rfilename":"a","size":1}`), 1, "no hash"},
		{"hash is a path", 200, nil, "", listOf(`{"rfilename":"a","size":1,"blobId":"../../../../x"}`), 1, "no hash"},
		{"LFS without", 200, nil, "", listOf(`{"rfilename":"a","size":1,"blobId":"` + commitA + `","lfs":{"size":1}}`), 1, "no hash"},
		{"LFS with git's", 200, nil, "", listOf(`{"rfilename":"a","size":1,"blobId":"` + commitA + `","lfs":{"size":1,"sha256":"` + commitA + `"}}`), 1, "no hash"},
		{"negative", 200, nil, "", listOf(`{"rfilename":"a","size":-1,"blobId":"` + commitA + `"}`), 1, "-1 bytes"},
		{"huge", 200, nil, "", listOf(`{"rfilename":"a","size":9000000000000000000,"blobId":"` + commitA + `"}`), 1, "9000000000000000000 bytes"},
		{"endless", 200, nil, "", strings.Repeat(" ", maxListing+1), 1, "more than 16777216 bytes"},
	} {
		s := newServer(t)
		s.onList = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			part(w, []byte(f.body), f.status, f.header)
			return true
		}
		c := s.client(nil)
		c.Token = f.token
		_, err := c.Pull(context.Background(), repo, "main", nil)
		if err == nil || !strings.Contains(err.Error(), f.err) || !strings.HasPrefix(err.Error(), "hub: owner/model@main: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", f.name, err, f.err)
		}
		if s.listed() != f.lists || len(s.asked()) != 0 {
			t.Errorf("%s: asked %d times for the list and %d for files, want %d and 0", f.name, s.listed(), len(s.asked()), f.lists)
		}
		if e, _ := os.ReadDir(c.Cache); len(e) != 0 {
			t.Errorf("%s: the cache has %v", f.name, e)
		}
	}
}

func listOf(file string) string { return `{"sha":"` + commitA + `","siblings":[` + file + `]}` }
