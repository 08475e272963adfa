package hub

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// setEnv sets the variables of huggingface_hub to the values in pairs, and clears the other ones.
func setEnv(t *testing.T, pairs ...string) {
	t.Helper()
	for _, v := range []string{
		"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HOME",
		"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
	} {
		t.Setenv(v, "")
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

func TestEnv(t *testing.T) {
	home := t.TempDir()
	for name, body := range map[string]string{".cache/huggingface/token": "filed\n", "other": " other ", "folder/x": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte(body), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		pairs, cache, token, err string
		offline                  bool
	}{
		{"", ".cache/huggingface/hub", "filed", "", false},
		{"HF_HOME ~/h HF_TOKEN t", "h/hub", "t", "", false},
		{"HF_HUB_CACHE $HOME/c HF_HOME h HF_HUB_OFFLINE yes", "c", "", "", true},
		{"HUGGINGFACE_HUB_CACHE ~/d TRANSFORMERS_OFFLINE 1", "d", "filed", "", true},
		{"XDG_CACHE_HOME ~/x HF_HUB_OFFLINE 0", "x/huggingface/hub", "", "", false},
		{"HF_TOKEN_PATH ~/other", ".cache/huggingface/hub", "other", "", false},
		{"HF_HUB_DISABLE_IMPLICIT_TOKEN 1", ".cache/huggingface/hub", "", "", false},
		{"HF_TOKEN_PATH ~/folder", "", "", "set HF_TOKEN or HF_TOKEN_PATH", false},
		{"HF_ENDPOINT huggingface.co", "", "", "want one like https://huggingface.co", false},
		{"HF_ENDPOINT file:///x", "", "", "is no address of a hub", false},
	} {
		setEnv(t, append(strings.Fields(c.pairs), "HOME", home)...)
		k, err := Env()
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.pairs, err, c.err)
			}
			continue
		}
		if err != nil || k.Cache != filepath.Join(home, c.cache) || k.Token != c.token || k.Offline != c.offline {
			t.Errorf("%s: %+v, %v; want cache %s, token %q, offline %v", c.pairs, k, err, c.cache, c.token, c.offline)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ name, repo, revision string }{
		{"o/n", "o/n", "main"}, {"gpt2", "gpt2", "main"}, {"o/n.v-1_2@v1", "o/n.v-1_2", "v1"}, {"o/n@refs/pr/1", "o/n", "refs/pr/1"},
		{"", "", ""}, {"/n", "", ""}, {"o/", "", ""}, {"a/b/c", "", ""}, {"../x", "", ""}, {"o/..", "", ""}, {"o--p/n", "", ""},
		{"o/n@", "", ""}, {"o/n@../x", "", ""}, {"o/n@/x", "", ""}, {"o/n@a\\b", "", ""}, {"o/n@a\x00", "", ""}, {"o/n\x00", "", ""},
		{"-o/n", "", ""}, {"o/" + strings.Repeat("n", 97), "", ""},
	} {
		repo, revision, err := Split(c.name)
		if (err == nil) != (c.repo != "") || err == nil && (repo != c.repo || revision != c.revision) {
			t.Errorf("%q: %q %q %v, want %q %q", c.name, repo, revision, err, c.repo, c.revision)
		}
	}
}

// TestHash compares hashes with those of git hash-object and sha256sum.
func TestHash(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
		{"hello", "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"},
		{"hello", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
	} {
		h := newHash(File{Size: int64(len(c.text)), Hash: c.want})
		h.Write([]byte(c.text))
		if got := hex.EncodeToString(h.Sum(nil)); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ names, patterns, want, err string }{
		{"config.json,model.safetensors,model.fp16.safetensors,pytorch_model.bin,onnx/config.json", "", "config.json,model.safetensors", ""},
		{"model-00001-of-00002.safetensors,model-00002-of-00002.safetensors,adapter_model.safetensors", "", "model-00001-of-00002.safetensors,model-00002-of-00002.safetensors", ""},
		{"b,a", "*,a", "a,b", ""},
		{"x/b.gguf,a.gguf", "x/*", "x/b.gguf", ""},
		{"a.gguf,b.gguf,config.json", "", "", "no model.safetensors; choose with --file among a.gguf, b.gguf"},
		{"config.json,pytorch_model.bin", "", "", "no .safetensors and no .gguf file"},
		{"a.gguf", "*.Q4_1.gguf", "", `no file matches "*.Q4_1.gguf"; choose with --file among a.gguf`},
		{"a,b", "a,c", "", `no file matches "c"`},
		{"a", "[", "", "is no pattern"},
		{"a,a", "*", "", `lists "a" twice`},
		{"../a", "*/*", "", "is no name"}, {"..", "*", "", "is no name"}, {"/etc/a", "/*/*", "", "is no name"},
		{`..\a`, "*", "", "is no name"}, {"C:a", "*", "", "is no name"}, {"a\x00b", "*", "", "is no name"},
		{"a\x1b[2J", "*", "", "is no name"}, {"a\xff", "*", "", "is no name"}, {"a/../../b", "*/*/*/*", "", "is no name"},
		{"a//b", "*/*/*", "", "is no name"}, {"a/", "*/*", "", "is no name"}, {".", "*", "", "is no name"}, {"a\n", "*", "", "is no name"},
	} {
		var all []File
		for _, n := range strings.Split(c.names, ",") {
			all = append(all, File{Name: n})
		}
		patterns := strings.FieldsFunc(c.patterns, func(r rune) bool { return r == ',' })
		files, err := choose(all, patterns)
		var got []string
		for _, f := range files {
			got = append(got, f.Name)
		}
		if s := strings.Join(got, ","); s != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q by %q: %q, %v; want %q, %q", c.names, c.patterns, s, err, c.want, c.err)
		}
	}
}

// fill makes files of a cache. The text of a ref is its commit; the text of any other file is x.
func fill(t *testing.T, cache string, names ...string) {
	t.Helper()
	for _, n := range names {
		if n == "" {
			continue
		}
		n, body, _ := strings.Cut(n, "=")
		path := filepath.Join(cache, "models--owner--model", n)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	commitB = strings.Repeat("b", 40)
	commitC = strings.Repeat("c", 40)
)

func TestFind(t *testing.T) {
	b, c := "snapshots/"+commitB+"/", "snapshots/"+commitC+"/"
	for _, f := range []struct {
		name, files, ask, want string
	}{
		{"main", "refs/main=" + commitB + " " + b + "model.safetensors " + c + "model.safetensors", "", commitB},
		{"newline", "refs/main=" + commitB + "\n " + b + "a.gguf", "", commitB},
		{"newest", b + "a.gguf " + c + "a.gguf", "", commitC},
		{"main without weights", "refs/main=" + commitB + " " + b + "config.json " + c + "a.gguf", "", commitC},
		{"main without a shard", "refs/main=" + commitB + " " + b + "model-00001-of-00002.safetensors", "", ""},
		{"both shards", "refs/main=" + commitB + " " + b + "model-00001-of-00002.safetensors " + b + "model-00002-of-00002.safetensors", "", commitB},
		{"a ref that leads out", "refs/main=../out out/a.gguf", "", ""},
		{"revision", "refs/v1=" + commitB + " " + b + "a.gguf " + c + "a.gguf", "@v1", commitB},
		{"commit", b + "a.gguf " + c + "a.gguf", "@" + commitB, commitB},
		{"revision that is not here", b + "a.gguf", "@v1", ""},
		{"main by name", b + "a.gguf", "@main", ""},
		{"nothing", "", "", ""},
	} {
		cache := t.TempDir()
		setEnv(t, "HF_HUB_CACHE", cache)
		fill(t, cache, strings.Split(f.files, " ")...)
		os.Chtimes(filepath.Join(cache, "models--owner--model/snapshots", commitC), time.Time{}, time.Now().Add(time.Hour)) // some rows have no such folder
		dir, err := Find(repo + f.ask)
		if f.want == "" {
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "ceto pull") {
				t.Errorf("%s: %q, %v; want fs.ErrNotExist", f.name, dir, err)
			}
		} else if err != nil || dir != filepath.Join(cache, "models--owner--model/snapshots", f.want) {
			t.Errorf("%s: %q, %v; want %s", f.name, dir, err, f.want)
		}
	}
}

func TestOffline(t *testing.T) {
	b := "snapshots/" + commitB + "/"
	for _, c := range []struct{ name, files, patterns, err string }{
		{"nothing", "", "", "HF_HUB_OFFLINE is set: file does not exist"},
		{"no snapshot", "refs/main=" + commitB, "", "no such file"},
		{"no weights", "refs/main=" + commitB + " " + b + "config.json", "", "no model.safetensors"},
		{"a shard less", "refs/main=" + commitB + " " + b + "model-00002-of-00002.safetensors", "", "model-00001-of-00002.safetensors is missing"},
		{"that shard", "refs/main=" + commitB + " " + b + "model-00002-of-00002.safetensors", "model-*", ""},
		{"no such file", "refs/main=" + commitB + " " + b + "model.safetensors", "*.gguf", `no file matches "*.gguf"`},
		{"a link that was not finished", "refs/main=" + commitB + " " + b + "a.gguf.ceto-tmp", "a*", `no file matches "a*"`},
		{"fine", "refs/main=" + commitB + " " + b + "model.safetensors", "", ""},
	} {
		cache := t.TempDir()
		fill(t, cache, strings.Split(c.files, " ")...)
		k := &Client{Cache: cache, Offline: true, HTTP: &http.Client{Transport: noNetwork{t}}}
		dir, err := k.Pull(context.Background(), repo, "main", strings.Fields(c.patterns))
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) || c.err == "" && (err != nil || filepath.Base(dir) != commitB) {
			t.Errorf("%s: %q, %v; want error %q", c.name, dir, err, c.err)
		}
	}
}

// noNetwork is a transport that fails the test at any request.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("asked for %s", r.URL)
	return nil, errors.New("no network")
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(listOf(`{"rfilename":"a","size":1,"blobId":"` + commitA + `","lfs":null}`)))
	f.Add([]byte(listOf(`{"rfilename":"../a","size":1,"blobId":"","lfs":{"sha256":"x","size":2}}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseListing(text)
		if err != nil {
			return
		}
		for _, p := range []string{"*", "*/*"} {
			files, _ := choose(l.files, []string{p})
			for _, f := range files {
				st := store{"/c", repo}
				if !strings.HasPrefix(st.file(l.commit, f.Name), st.snapshot(l.commit)+"/") || filepath.Dir(st.blob(f.Hash)) != "/c/models--owner--model/blobs" {
					t.Errorf("%q with hash %q leaves its folder", f.Name, f.Hash)
				}
			}
		}
	})
}
