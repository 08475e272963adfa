// Command ceto pretrains GPT-style models, and runs, inspects and converts those that others have trained. See the
// repository's README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

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
	g := &global{}
	out, notes := stdout(os.Stdout), stderr(os.Stderr)
	c := root(g)
	c.SetOut(out)
	c.SetErr(notes)
	err := c.ExecuteContext(g.signals.listen(context.Background()))
	if e := out.close(); err == nil {
		err = e
	}
	if g.signals.stopped() && (err == nil || errors.Is(err, context.Canceled)) {
		err = train.ErrInterrupted
	}
	if err != nil && !errors.Is(err, train.ErrInterrupted) {
		fmt.Fprintln(notes, "ceto:", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	notes.close()
	return exitCode(err)
}

// exitCode is the code that a command's error ends the process with.
func exitCode(err error) int {
	var u usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrInterrupted):
		return exitStopped
	case errors.As(err, &u):
		return exitUsage
	}
	return exitFailure
}

// global are the flags of every command.
type global struct {
	Device  string `flag:"device" usage:"auto (a GPU where one is usable), cpu, cuda, cuda:N (GPU N, from 0) or emulated (a GPU that is emulated and checks every access)" default:"auto"`
	Threads int    `flag:"threads" usage:"worker threads; 0 takes one for each processor" range:"[0,4096]"`
	JSON    bool   `flag:"json" usage:"print one JSON object as the last line of stdout"`

	signals signals
	notes   io.Writer // standard error, as the command has it; nil for none
}

func root(g *global) *cobra.Command {
	c := &cobra.Command{
		Use:           "ceto",
		Short:         "Pretrain GPT-style models, and run, inspect and convert those that others have trained",
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: known,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			g.notes = c.ErrOrStderr()
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
