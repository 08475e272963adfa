package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinks: links to files and folders are followed, no folder is entered twice, hidden ones are passed over.
func TestLinks(t *testing.T) {
	dir := write(t, map[string]string{"real/a.txt": "A1", "real/b.txt": "B1", "mixed/b.txt": "B2", "sub/c.txt": "C1", "loop/a.txt": "A2", "loop/in/b.txt": "B3",
		"hidden/.git/config": "no", "hidden/.DS_Store": "\x00", "hidden/.part.txt": "no", "hidden/x.txt": "X1", "two/one/a.txt": "A3", "dead/a.txt": "A4", ".dot/a.txt": "A5"})
	for link, to := range map[string]string{"links/a.txt": "../real/a.txt", "links/b.txt": "../real/b.txt", "mixed/a.txt": "../real/a.txt", "sub/d": "../real",
		"loop/self": ".", "loop/in/up": "..", "two/other": "one", "two/one/back": "../other", "dead/gone": "nowhere", "chain/x": "../links"} {
		path := filepath.Join(dir, filepath.FromSlash(link))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.FromSlash(to), path); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct {
		path, text string
		files      int
	}{
		{"links", "A1B1", 2}, {"mixed", "A1B2", 2}, {"sub", "C1A1B1", 3}, {"loop", "A2B3", 2}, {"hidden", "X1", 1}, {"two", "A3", 1}, {"chain", "A1B1", 2},
		{".dot", "A5", 1}, {"hidden/.part.txt", "no", 1}, {"links/a.txt", "A1", 1}, {"sub/d", "A1B1", 2},
	} {
		d, err := Text(filepath.Join(dir, filepath.FromSlash(c.path)), TextOptions{Context: 1, Val: -1, Kind: "byte"})
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		if got := string(d.tok.Decode(d.train.appendTo(nil))); got != c.text || d.Files() != c.files {
			t.Errorf("%s: text %q of %d files, want %q of %d", c.path, got, d.Files(), c.text, c.files)
		}
	}
	_, err := Text(filepath.Join(dir, "dead"), TextOptions{Context: 1})
	wantErr(t, "a dead link", err, "gone: no such file")
	_, err = Text(os.DevNull, TextOptions{Context: 1})
	wantErr(t, "a device", err, os.DevNull+": a device, want a file")
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line", err)
	}
}
