package pretrain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// goroot finds the Go installation whose source the default run trains on.
func goroot(ctx context.Context) (string, error) {
	root := os.Getenv("GOROOT")
	if root == "" {
		if out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output(); err == nil {
			root = strings.TrimSpace(string(out))
		}
	}
	if root != "" {
		if st, err := os.Stat(filepath.Join(root, "src", "fmt")); err == nil && st.IsDir() {
			return root, nil
		}
	}
	return "", errors.New("no Go installation found to train on its source (GOROOT); name a text with --data FILE")
}

// goPackages are the packages that the default run trains on: prose and code of one style, no large tables. The last
// of them by name are held out.
var goPackages = []string{"bufio", "bytes", "container", "context", "encoding", "errors", "flag", "fmt", "go", "html/template",
	"io", "log", "net/http", "net/url", "os", "path", "reflect", "regexp", "sort", "strconv", "strings", "sync", "text"}

// isGoText reports whether the default run reads the file at a path below GOROOT/src.
func isGoText(path string) bool {
	if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") || strings.Contains(path, "/internal/") {
		return false
	}
	for _, p := range goPackages {
		if strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}
