package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// listing is what the hub says about a revision.
type listing struct {
	commit string
	files  []File
}

const (
	maxListing = 16 << 20 // bytes: some 60000 files
	maxSize    = 1 << 50  // bytes of a file: 1 PiB
)

var hexHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// list asks the hub which files a revision has.
func (c *Client) list(ctx context.Context, repo, revision string) (listing, error) {
	var l listing
	base, err := c.endpoint()
	if err != nil {
		return l, err
	}
	address := fmt.Sprintf("%s/api/models/%s/revision/%s?blobs=true", base, repo, url.PathEscape(revision))
	err = c.retry(ctx, repo, func() (bool, error) {
		ctx, alive, stop := c.watch(ctx)
		defer stop()
		resp, err := c.get(ctx, address, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = io.Copy(&b, io.LimitReader(beating{resp.Body, alive}, maxListing+1))
		switch {
		case err != nil:
			return false, netError(ctx, err)
		case b.Len() > maxListing:
			return false, errors.Errorf("the list of files has more than %d bytes", maxListing)
		}
		l, err = parseListing(b.Bytes())
		return false, err
	})
	return l, err
}

// beating is a reader that calls beat before each read.
type beating struct {
	r    io.Reader
	beat func()
}

func (b beating) Read(p []byte) (int, error) {
	b.beat()
	return b.r.Read(p)
}

// parseListing reads the hub's description of a revision. It decodes files one by one and wants a hash for each, so
// that no list takes much more memory than its text.
func parseListing(text []byte) (listing, error) {
	var model struct {
		SHA      string          `json:"sha"`
		Siblings json.RawMessage `json:"siblings"`
	}
	if err := json.Unmarshal(text, &model); err != nil {
		return listing{}, errors.Wrap(err, "the hub's answer is no list of files; is HF_ENDPOINT right?")
	}
	if !commitID.MatchString(model.SHA) {
		return listing{}, errors.Errorf("the hub's answer has no commit but %.60q; is HF_ENDPOINT right?", model.SHA)
	}
	l := listing{commit: model.SHA}
	if len(model.Siblings) == 0 {
		return l, nil
	}
	d := json.NewDecoder(bytes.NewReader(model.Siblings))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return listing{}, errors.New("the hub's list of files is no list")
	}
	for d.More() {
		f, err := parseFile(d)
		if err != nil {
			return listing{}, err
		}
		l.files = append(l.files, f)
	}
	return l, nil
}

// parseFile reads one file of the list. It does not check the name, which may be hostile.
func parseFile(d *json.Decoder) (File, error) {
	var s struct {
		Name string `json:"rfilename"`
		Size int64  `json:"size"`
		Blob string `json:"blobId"`
		LFS  *struct {
			SHA256 string `json:"sha256"`
			Size   int64  `json:"size"`
		} `json:"lfs"`
	}
	if err := d.Decode(&s); err != nil {
		return File{}, errors.Wrap(err, "the hub's list of files")
	}
	f, digits := File{Name: s.Name, Size: s.Size, Hash: s.Blob}, 40
	if s.LFS != nil { // the blob is then a pointer of some hundred bytes
		f.Hash, f.Size, digits = s.LFS.SHA256, s.LFS.Size, 64
	}
	switch {
	case len(f.Hash) != digits || !hexHash.MatchString(f.Hash):
		return File{}, errors.Errorf("the hub's list has no hash of %.60q but %.70q", f.Name, f.Hash)
	case f.Size < 0 || f.Size > maxSize:
		return File{}, errors.Errorf("the hub's list gives %.60q a size of %d bytes", f.Name, f.Size)
	}
	return f, nil
}

// checkName refuses a name that would leave its folder, on any system, or that would upset a terminal.
func checkName(name string) error {
	bad := !filepath.IsLocal(name) || path.Clean(name) != name || name == "." || strings.ContainsAny(name, `\:`) || !utf8.ValidString(name)
	for _, r := range name {
		bad = bad || !unicode.IsPrint(r)
	}
	if bad {
		return errors.Errorf("%.100q is no name of a file in a folder", name)
	}
	return nil
}

// choose returns the files that match a pattern, sorted by name. Each pattern of the user must match a file. Among
// the default ones, some pattern must match a file of weights.
func choose(all []File, patterns []string) ([]File, error) {
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
	}
	chosen, err := match(names, patterns)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, f := range all {
		if !chosen[f.Name] {
			continue
		}
		if err := checkName(f.Name); err != nil {
			return nil, errors.WithMessage(err, "the hub's list of files")
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(files); i++ {
		if files[i].Name == files[i-1].Name {
			return nil, errors.Errorf("the hub lists %q twice", files[i].Name)
		}
	}
	return files, nil
}

// match returns the names that match one of patterns.
func match(names, patterns []string) (map[string]bool, error) {
	users := len(patterns) > 0
	if !users {
		patterns = DefaultFiles
	}
	chosen := map[string]bool{}
	for _, p := range patterns {
		found := false
		for _, n := range names {
			ok, err := path.Match(p, n)
			if err != nil {
				return nil, errors.Errorf("--file %q is no pattern; want one like *.gguf", p)
			}
			if ok {
				found = true
				chosen[n] = true
			}
		}
		if users && !found {
			return nil, errors.Errorf("no file matches %q; %s", p, offer(names))
		}
	}
	if !users && !slices.ContainsFunc(names, func(n string) bool { return chosen[n] && isWeights(n) }) {
		return nil, errors.Errorf("no model.safetensors; %s", offer(names))
	}
	return chosen, nil
}

// offer says which files of weights the user may ask for.
func offer(names []string) string {
	var some []string
	for _, n := range names {
		if isWeights(n) && checkName(n) == nil {
			some = append(some, n)
		}
	}
	more := ""
	if len(some) > 6 {
		some, more = some[:6], " …"
	}
	if len(some) == 0 {
		return "it has no .safetensors and no .gguf file"
	}
	return "choose with --file among " + strings.Join(some, ", ") + more
}

// isWeights tells whether a file of that name holds a model's weights in a format that Ceto reads.
func isWeights(name string) bool {
	return strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".gguf")
}
