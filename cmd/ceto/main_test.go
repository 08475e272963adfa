package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/ceto-ml/ceto/internal/atomicfile"
	"github.com/klauspost/compress/zstd"
	"github.com/pkg/errors"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"ceto": main}) }

// TestScripts runs the program as a user does, each script in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			models, err := filepath.Abs("../../gpt/testdata")
			e.Setenv("MODELS", models)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails, "corpus": corpus, "hold": hold, "cut": cutFile, "interrupt": interrupt, "digest": digest, "file": makeFile,
			"latin1": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("abc\xffdefghijklmnopqrstuvwxyz"), 0o666))
			},
		},
	})
}

// fails CODE ARG...: ceto ends with that code, writes nothing to stdout, and one line to stderr that begins "ceto: ".
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails code arg...")
	}
	code := 0
	var e *exec.ExitError
	if err := ts.Exec("ceto", args[1:]...); errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is not empty: %q", out)
	}
	if msg := ts.ReadFile("stderr"); !strings.HasPrefix(msg, "ceto: ") || strings.Count(msg, "\n") != 1 || len(msg) > 400 {
		ts.Fatalf("want one line on stderr that begins with ceto:, got %q", msg)
	}
}

// corpus FILE BYTES: writes a text of that length.
func corpus(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	const line = "the quick brown fox jumps over the lazy dog;\nand then it sleeps, as foxes do.\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(line, n/len(line)+1)[:n]), 0o666))
}

// file KIND NAME: writes 9,800 bytes of text in some packing or encoding, or what is no text.
func makeFile(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte(strings.Repeat("café, this is a line of text that is here.\n\n\n\n\n\n", 200))
	var b bytes.Buffer
	switch args[0] {
	case "plain":
		b.Write(text)
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(text)
		w.Close()
	case "zstd":
		w, err := zstd.NewWriter(&b)
		ts.Check(err)
		w.Write(text)
		w.Close()
	case "utf16":
		binary.Write(&b, binary.LittleEndian, append([]uint16{0xfeff}, utf16.Encode([]rune(string(text)))...))
	case "latin1":
		b.WriteString(strings.ReplaceAll(string(text), "é", "\xe9"))
	case "bzip2":
		b.WriteString("BZh91AY&SY\x00\xff\x01")
	case "noise":
		b.WriteString(strings.Repeat("\x05\x00\x81\xff", 100))
	case "npy":
		b.WriteString("\x93NUMPY\x01\x00v\x00{}")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o666))
}

// hold FOLDER: locks a run folder as another process would, until the script ends.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	l, err := atomicfile.Lock(filepath.Join(ts.MkAbs(args[0]), "lock"))
	ts.Check(err)
	ts.Defer(func() { l.Unlock() })
}

// cut FILE: drops the second half of a file.
func cutFile(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	st, err := os.Stat(path)
	ts.Check(err)
	ts.Check(os.Truncate(path, st.Size()/2))
}

// interrupt ARG...: starts ceto, sends it SIGINT once its log has a line, and wants exit code 130. The run folder is
// the argument after --out.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	self, err := os.Executable()
	ts.Check(err)
	cmd := exec.Command(self, args...)
	cmd.Args[0], cmd.Dir = "ceto", ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"))
	if path, err := exec.LookPath("ceto"); err == nil {
		cmd.Path = path
	}
	var msg strings.Builder
	cmd.Stderr = &msg
	ts.Check(cmd.Start())
	log := ""
	for i, a := range args {
		if a == "--out" {
			log = filepath.Join(ts.MkAbs(args[i+1]), "log.jsonl")
		}
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if st, err := os.Stat(log); err == nil && st.Size() > 0 {
			break
		}
	}
	ts.Check(cmd.Process.Signal(syscall.SIGINT))
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitStopped {
		ts.Fatalf("exit %v, want code %d; stderr %q", err, exitStopped, msg.String())
	}
	if !strings.Contains(msg.String(), "ceto pretrain --resume") {
		ts.Fatalf("stderr does not say how to resume: %q", msg.String())
	}
}

// digest FILE FILE: both hold the same digest of final parameters; "stdout" is the last command's output.
func digest(ts *testscript.TestScript, neg bool, args []string) {
	var d [2]string
	for i, name := range args {
		_, after, ok := strings.Cut(ts.ReadFile(name), `"digest":"`)
		if !ok {
			ts.Fatalf("%s has no digest", name)
		}
		d[i] = after[:64]
	}
	if (d[0] == d[1]) == neg {
		ts.Fatalf("digests %s and %s", d[0], d[1])
	}
}
