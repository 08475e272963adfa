// Command ceto pretrains GPT-style models, and runs, inspects and converts those that others have trained. See the
// repository's README.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// Ceto ends with these codes where a command failed, was misused or was stopped.
const (
	exitFailure = 1
	exitUsage   = 2
	exitStopped = 130 // by Ctrl-C, after a whole step and a checkpoint
)

// usageError is an error in flags, arguments or configuration.
type usageError struct{ error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func usagef(format string, a ...any) error { return usageError{errors.Errorf(format, a...)} }

func main() { os.Exit(run()) }

func run() int {
	signal.Ignore(syscall.SIGPIPE) // a write into a closed pipe is an error like any other
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var p patience
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		p.hurry()
	})
	out, notes := newOutput(os.Stdout, false), newOutput(os.Stderr, true)
	c := root()
	c.SetOut(out)
	c.SetErr(notes)
	err := c.ExecuteContext(context.WithValue(ctx, patienceKey{}, &p))
	if err == nil {
		err = errors.Wrap(out.err, "standard output")
	}
	code := exitCode(err)
	if code != 0 && code != exitStopped {
		fmt.Fprintln(notes, "ceto:", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return code
}

// patience says what a first signal does: a command ends by itself, or is ended a second later. Training may take as
// long as its step does.
type patience struct{ itself atomic.Bool }

type patienceKey struct{}

// hurry ends the process soon, unless it ends by itself.
func (p *patience) hurry() {
	time.Sleep(time.Second)
	if !p.itself.Load() {
		os.Exit(exitStopped)
	}
}

// endsItself says that a command that trains or talks ends by itself after a signal, until done is called.
func endsItself(ctx context.Context) (done func()) {
	p, ok := ctx.Value(patienceKey{}).(*patience)
	if !ok {
		return func() {}
	}
	p.itself.Store(true)
	return func() { p.itself.Store(false) }
}

// exitCode is the code that a command's error ends the process with.
func exitCode(err error) int {
	var u usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitStopped
	case errors.As(err, &u):
		return exitUsage
	}
	return exitFailure
}

// global are the flags of every command.
type global struct {
	Device  string `flag:"device" usage:"auto (a GPU where one is usable), cpu, cuda, cuda:N (GPU N, from 0) or emulated (a GPU that is emulated and checks every access)" default:"auto"`
	Threads int    `flag:"threads" usage:"worker threads; 0 takes one for each processor" range:"[0,inf)"`
	JSON    bool   `flag:"json" usage:"print one JSON object as the last line of stdout"`
}

func root() *cobra.Command {
	g := &global{}
	c := &cobra.Command{
		Use:           "ceto",
		Short:         "Pretrain GPT-style models, and run, inspect and convert those that others have trained",
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: known,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if err := setting.Check(g); err != nil {
				return usage(err)
			}
			if err := g.checkDevice(); err != nil {
				return err
			}
			return usage(vec.Err())
		},
	}
	setting.Flags(c.PersistentFlags(), g)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if out := (*setting.RangeError)(nil); errors.As(err, &out) {
			return usage(out)
		}
		return usage(err)
	})
	c.AddCommand(pretrainCmd(g), finetuneCmd(g), predictCmd(g), evalCmd(g), generateCmd(g), inspectCmd(g), chatCmd(g), tokenizeCmd(g), exportCmd(g), pullCmd(g), dataCmd(g), gradcheckCmd(g), demoCmd(g), benchCmd(g), doctorCmd(g), versionCmd(g))
	for _, sub := range c.Commands() {
		if sub.Args == nil {
			sub.Args = noArgs
		}
	}
	return c
}

// known returns an error for the name of a command that does not exist.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if s := c.SuggestionsFor(args[0]); len(s) > 0 {
		return usagef("unknown command %q; did you mean %s?", args[0], s[0])
	}
	return usagef("unknown command %q; ceto --help lists them", args[0])
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, got %q", c.CommandPath(), args[0])
	}
	return nil
}

func versionCmd(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, Go version and how this machine computes",
		RunE: func(c *cobra.Command, _ []string) error {
			version := "(unknown)"
			if b, ok := debug.ReadBuildInfo(); ok {
				version = b.Main.Version
			}
			if g.JSON {
				return printJSON(c.OutOrStdout(), map[string]any{"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpu": vec.Current().String()})
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "ceto %s, %s, %s/%s, %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, vec.Current())
			return err
		},
	}
}
