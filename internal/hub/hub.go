// Package hub fetches models from a Hugging Face hub into the cache folders of huggingface_hub. Both programs share
// files there and finish each other's downloads.
//
//	c, err := hub.Env()
//	dir, err := c.Pull(ctx, "HuggingFaceTB/SmolLM2-135M-Instruct", "main", nil) // the folder with config.json …
//
// The hub answers GET /api/models/REPO/revision/REVISION?blobs=true with the commit and, for each file, its size and
// hash. The files are at /REPO/resolve/COMMIT/FILE. In the cache:
//
//	models--OWNER--NAME/blobs/HASH               a file's bytes, under its hash; HASH.incomplete while they come
//	models--OWNER--NAME/snapshots/COMMIT/FILE    a relative link to the blob
//	models--OWNER--NAME/refs/REVISION            the commit of a branch or tag, once all its files are there
//	.locks/models--OWNER--NAME/HASH.lock         held with flock by the process that fetches the blob
//
// The package is code of its own over net/http. The library github.com/gomlx/go-huggingface/hub v0.3.1 starts every
// file anew after a cut, compares no hash or length, does not retry, and cannot work offline.
package hub

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// Client fetches from one hub into one cache. Its methods may not be called at the same time.
type Client struct {
	Endpoint string       // address of the hub; https://huggingface.co where empty
	Token    string       // sent to the endpoint alone, never to a host it redirects to; may be empty
	Cache    string       // folder that holds models--OWNER--NAME
	Offline  bool         // take what the cache has and do not touch the network
	HTTP     *http.Client // http.DefaultClient where nil; its CheckRedirect is not used

	Announce func(files []File)                   // the files of a Pull, before the first is fetched; may be nil
	Progress func(file string, done, total int64) // called often, in bytes; done falls when a file starts over; may be nil
	Note     func(message string)                 // why a Pull waits or tries again, one line; may be nil

	stall time.Duration // how long a connection may bring no byte; 30 s where 0
	pause time.Duration // before the second try, twice that before the third …; 1 s where 0
}

// File is a file of a snapshot.
type File struct {
	Name string // with slashes, relative to the snapshot
	Size int64  // bytes
	Hash string // the blob's name: 64 hex digits of SHA-256 (a file of Git LFS), or 40 of git's SHA-1
	Here bool   // the cache has it
}

// DefaultEndpoint is the address of the hub where none is named.
const DefaultEndpoint = "https://huggingface.co"

// DefaultRevision is the branch to fetch where no revision is named.
const DefaultRevision = "main"

// DefaultFiles are patterns for the files that Ceto loads from a folder of Hugging Face transformers.
var DefaultFiles = []string{
	"config.json", "generation_config.json",
	"model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json",
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
	"chat_template.jinja", "chat_template.json", "additional_chat_templates/*.jinja",
}

// Env returns the client that the variables of huggingface_hub describe:
//
//	HF_ENDPOINT       the hub
//	HF_TOKEN          the token, or HF_TOKEN_PATH the file with it, by default HF_HOME/token
//	HF_HUB_CACHE      the cache, by default HF_HOME/hub
//	HF_HUB_OFFLINE    whether to keep off the network
//	HF_HOME           by default ~/.cache/huggingface
//
// Source: huggingface_hub 0.36, constants.py and utils/_auth.py.
func Env() (*Client, error) {
	home, err := folder(filepath.Join(first(os.Getenv("XDG_CACHE_HOME"), "~/.cache"), "huggingface"), "HF_HOME")
	if err != nil {
		return nil, err
	}
	cache, err := folder(filepath.Join(home, "hub"), "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
	if err != nil {
		return nil, err
	}
	token, err := envToken(home)
	if err != nil {
		return nil, err
	}
	c := &Client{
		Endpoint: os.Getenv("HF_ENDPOINT"), Token: token, Cache: cache,
		Offline: isTrue(first(os.Getenv("HF_HUB_OFFLINE"), os.Getenv("TRANSFORMERS_OFFLINE"))),
	}
	_, err = c.endpoint()
	return c, err
}

// envToken returns the user's token, or "" where there is none.
func envToken(home string) (string, error) {
	if t := strings.TrimSpace(first(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))); t != "" {
		return t, nil
	}
	if isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return "", nil
	}
	path, err := folder(filepath.Join(home, "token"), "HF_TOKEN_PATH")
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", errors.Wrap(err, "hub: the token file cannot be read; set HF_TOKEN or HF_TOKEN_PATH")
	}
	return strings.TrimSpace(string(b)), nil
}

// folder returns the path in the first variable that is set, else path. It expands ~ and $NAME as a shell does.
func folder(path string, vars ...string) (string, error) {
	for i := len(vars) - 1; i >= 0; i-- {
		path = first(os.Getenv(vars[i]), path)
	}
	path = os.ExpandEnv(path)
	if path == "~" || strings.HasPrefix(path, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.Wrap(err, "hub: no home folder to keep models in; set HF_HOME")
		}
		path = filepath.Join(home, path[1:])
	}
	path, err := filepath.Abs(path)
	return path, errors.Wrap(err, "hub")
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// endpoint returns the address that all requests begin with.
func (c *Client) endpoint() (*url.URL, error) {
	s := first(strings.TrimRight(c.Endpoint, "/"), DefaultEndpoint)
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.Errorf("hub: HF_ENDPOINT %q is no address of a hub; want one like %s", s, DefaultEndpoint)
	}
	return u, nil
}

var (
	repoName = regexp.MustCompile(`^(\w[\w.-]{0,95}/)?\w[\w.-]{0,95}$`)
	commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// Split takes OWNER/NAME[@REVISION] apart. The revision is main where none is named.
func Split(name string) (repo, revision string, err error) {
	repo, revision, at := strings.Cut(name, "@")
	if !at {
		revision = DefaultRevision
	}
	return repo, revision, check(repo, revision)
}

// check refuses names that no repository or revision can have, since names become parts of paths.
func check(repo, revision string) error {
	if !repoName.MatchString(repo) || strings.Contains(repo, "--") {
		return errors.Errorf("hub: %q is no repository; want OWNER/NAME[@REVISION]", repo)
	}
	if revision == "" || checkName(revision) != nil {
		return errors.Errorf("hub: %q is no revision of %s; want a branch, a tag or a commit", revision, repo)
	}
	return nil
}

// Pull fetches the files of a revision that match one of patterns, and returns the snapshot's folder. It fetches no
// file that the cache has. A pattern is one of [path.Match] for the whole name; without any, [DefaultFiles] are
// taken.
//
// A file gets its name in the folder only when it is complete, has the hash that the hub lists, and is synced to
// disk. After a failure or the end of ctx, the next Pull goes on from the bytes that came. A pattern that matches no
// file is an error. The error is context.Canceled when ctx was canceled.
func (c *Client) Pull(ctx context.Context, repo, revision string, patterns []string) (string, error) {
	revision = first(revision, DefaultRevision)
	if err := check(repo, revision); err != nil {
		return "", err
	}
	s := store{c.Cache, repo}
	if c.Offline {
		dir, files, err := s.offline(revision, patterns)
		if err == nil && c.Announce != nil {
			c.Announce(files)
		}
		return dir, err
	}
	l, err := c.list(ctx, repo, revision)
	if err != nil {
		return "", errors.WithMessagef(err, "hub: %s@%s", repo, revision)
	}
	files, err := choose(l.files, patterns)
	if err != nil {
		return "", errors.WithMessagef(err, "hub: %s@%s", repo, revision)
	}
	for i, f := range files {
		files[i].Here = sized(s.file(l.commit, f.Name), f.Size) || sized(s.blob(f.Hash), f.Size)
	}
	if c.Announce != nil {
		c.Announce(files)
	}
	for _, f := range files {
		if err := c.fetch(ctx, s, l.commit, f); err != nil {
			return "", errors.WithMessagef(err, "hub: %s: %s", repo, f.Name)
		}
	}
	return s.snapshot(l.commit), errors.WithMessagef(s.setRef(revision, l.commit), "hub: %s", repo)
}

// Find returns the folder of a snapshot that Pull or huggingface_hub put into the cache of [Env]. name is
// OWNER/NAME[@REVISION]. Without a revision it is the snapshot of main if that has weights, else the newest that has.
// Find never touches the network. The error is an fs.ErrNotExist if there is none.
func Find(name string) (string, error) {
	c, err := Env()
	if err != nil {
		return "", err
	}
	repo, revision, err := Split(name)
	if err != nil {
		return "", err
	}
	return store{c.Cache, repo}.find(revision, strings.Contains(name, "@"))
}

func (c *Client) note(message string) {
	if c.Note != nil {
		c.Note(message)
	}
}
