package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceto-ml/ceto/internal/hub"
	"github.com/ceto-ml/ceto/train"
)

// fakeHub serves one repository, o/n, with the files named; a file slow.bin stops half-way until the client leaves.
func fakeHub(t *testing.T, files map[string]string) *httptest.Server {
	commit := strings.Repeat("a", 40)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/o/n/resolve/"+commit+"/"); ok {
			body := files[name]
			if name == "slow.bin" {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				fmt.Fprint(w, body[:len(body)/2])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/api/models/o/n/") {
			w.Header().Set("X-Error-Code", "RepoNotFound")
			w.WriteHeader(401)
			return
		}
		var list []map[string]any
		for name, body := range files {
			h := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(body), body))
			list = append(list, map[string]any{"rfilename": name, "size": len(body), "blobId": fmt.Sprintf("%x", h)})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": list})
	}))
	t.Cleanup(s.Close)
	for _, v := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Setenv(v, "")
	}
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_HOME", t.TempDir())
	return s
}

// pull runs ceto pull.
func pull(ctx context.Context, g *global, args ...string) (stdout, stderr string, err error) {
	var out, msg bytes.Buffer
	c := pullCmd(g)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&out)
	c.SetErr(&msg)
	c.SetArgs(args)
	err = c.ExecuteContext(ctx)
	return out.String(), msg.String(), err
}

func TestPull(t *testing.T) {
	fakeHub(t, map[string]string{"config.json": "{}", "model.safetensors": strings.Repeat("x", 3000), "a.gguf": "g"})
	for _, c := range []struct {
		args   string
		json   bool
		stdout string // its JSON, or how it ends
		stderr string
		code   int
		err    string
	}{
		{"o/n", true, `"files":["config.json","model.safetensors"],"bytes":3002}`, "files: 2, 2.9 KiB, of which 0 B are in the cache", 0, ""},
		{"o/n", false, strings.Repeat("a", 40), "of which 2.9 KiB are in the cache", 0, ""},
		{"o/n --file *.gguf --file config.*", true, `"files":["a.gguf","config.json"],"bytes":3}`, "a.gguf, 3 B of 3 B", 0, ""},
		{"o/n --file *.bin", false, "", "", exitFailure, `no file matches "*.bin"; choose with --file among`},
		{"o/x", false, "", "", exitFailure, "check the name, or set HF_TOKEN"},
		{"o/n/x", false, "", "", exitUsage, "want OWNER/NAME[@REVISION]"},
		{"", false, "", "", exitUsage, "takes one model"},
		{"o/n o/m", false, "", "", exitUsage, "takes one model"},
	} {
		out, msg, err := pull(context.Background(), &global{JSON: c.json}, strings.Fields(c.args)...)
		if exitCode(err) != c.code || c.code != 0 && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want code %d, %q", c.args, err, c.code, c.err)
		}
		if !strings.HasSuffix(strings.TrimSuffix(out, "\n"), c.stdout) || c.json && !json.Valid([]byte(out)) || c.code != 0 && out != "" {
			t.Errorf("%s: stdout %q, want it to end with %q", c.args, out, c.stdout)
		}
		if !strings.Contains(msg, c.stderr) {
			t.Errorf("%s: stderr %q, want %q", c.args, msg, c.stderr)
		}
	}
	if dir, err := hub.Find("o/n"); err != nil || filepath.Base(dir) != strings.Repeat("a", 40) {
		t.Errorf("Find: %q, %v", dir, err)
	}
}

// TestPullStop ends a pull in the middle, as Ctrl-C does.
func TestPullStop(t *testing.T) {
	fakeHub(t, map[string]string{"slow.bin": strings.Repeat("x", 2048)})
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, nil)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			found, _ := filepath.Glob(filepath.Join(os.Getenv("HF_HOME"), "hub/models--o--n/blobs/*.incomplete"))
			if len(found) == 1 {
				time.Sleep(50 * time.Millisecond) // some bytes come, or none: both are fine
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	out, msg, err := pull(ctx, &global{}, "o/n", "--file", "slow.bin")
	if !errors.Is(err, train.ErrInterrupted) || out != "" || !strings.Contains(msg, "go on with the same command") {
		t.Errorf("stdout %q, stderr %q, error %v", out, msg, err)
	}
}

func TestPullProgress(t *testing.T) {
	var b bytes.Buffer
	p := &pullProgress{w: &b}
	p.announce([]hub.File{{Name: "a", Size: 100, Here: true}, {Name: "b", Size: 3 << 20}})
	p.begin = p.begin.Add(-10 * time.Second)
	p.last = p.begin
	p.onBytes("b", 1<<20, 3<<20) // of an earlier pull: no rate
	p.onBytes("b", 2<<20, 3<<20) // not yet due
	p.onBytes("b", 0, 3<<20)     // starts over
	p.onBytes("b", 3<<20, 3<<20)
	want := `files: 2, 3.0 MiB, of which 100 B are in the cache
b, 1.0 MiB of 3.0 MiB
b, 3.0 MiB of 3.0 MiB, 409.6 KiB/s, ETA 0s
`
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
