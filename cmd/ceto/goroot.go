package main

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
