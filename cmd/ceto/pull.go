package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ceto-ml/ceto/internal/hub"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train"
	"github.com/pkg/errors"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// pullFlags are the flags of ceto pull.
type pullFlags struct {
	*global
	Files []string `flag:"file,array" usage:"files to fetch, * standing for any text without a slash; may be repeated" default:"(what transformers loads with safetensors)"`
}

func pullCmd(g *global) *cobra.Command {
	f := &pullFlags{global: g}
	c := &cobra.Command{
		Use:   "pull OWNER/NAME[@REVISION]",
		Short: "Fetch a model from a Hugging Face hub",
		Long: `Fetch a model from a Hugging Face hub into the cache that huggingface_hub uses too, and print its folder.
After Ctrl-C or a lost connection, the same command goes on with the download.

HF_TOKEN opens gated and private models, HF_ENDPOINT names another hub, HF_HOME another folder,
and HF_HUB_OFFLINE=1 takes what is there without a network.`,
		Example: `  ceto pull HuggingFaceTB/SmolLM2-135M-Instruct
  ceto pull unsloth/SmolLM2-135M-Instruct-GGUF --file '*.Q4_1.gguf'`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s takes one model, OWNER/NAME[@REVISION]", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	setting.Flags(c.Flags(), f)
	return c
}

// pulled is the JSON of ceto pull.
type pulled struct {
	Path  string   `json:"path"` // of the snapshot
	Files []string `json:"files"`
	Bytes int64    `json:"bytes"`
}

func (f *pullFlags) run(c *cobra.Command, name string) error {
	repo, revision, err := hub.Split(name)
	if err != nil {
		return usage(err)
	}
	k, err := hub.Env()
	if err != nil {
		return usage(err)
	}
	p := &pullProgress{w: c.ErrOrStderr()}
	defer f.signals.hold()()
	k.Announce, k.Progress, k.Note = p.announce, p.onBytes, p.note
	dir, err := k.Pull(c.Context(), repo, revision, f.Files)
	p.close()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(p.w, "stopped after %s; go on with the same command\n", size(p.here))
		return train.ErrInterrupted
	}
	if err != nil {
		return err
	}
	if !f.JSON {
		_, err := fmt.Fprintln(c.OutOrStdout(), dir)
		return err
	}
	out := pulled{Path: dir, Files: []string{}, Bytes: p.total}
	for _, file := range p.files {
		out.Files = append(out.Files, file.Name)
	}
	return printJSON(c.OutOrStdout(), out)
}

// pullProgress shows a pull: a line that moves on a terminal, a line now and then elsewhere.
type pullProgress struct {
	w     io.Writer
	files []hub.File
	total int64 // bytes of all files
	bar   *progressbar.ProgressBar

	file  string           // that is being fetched
	here  int64            // bytes of the files that are on this machine
	of    map[string]int64 // bytes of each file on this machine
	came  int64            // bytes from the network
	begin time.Time
	last  time.Time // when a line was printed
}

// announce says what is about to be fetched.
func (p *pullProgress) announce(files []hub.File) {
	p.files, p.of, p.begin, p.last = files, map[string]int64{}, time.Now(), time.Now()
	for _, f := range files {
		p.total += f.Size
		if f.Here {
			p.here += f.Size
		}
	}
	fmt.Fprintf(p.w, "files: %d, %s, of which %s are in the cache\n", len(files), size(p.total), size(p.here))
	if w := movingLine(p.w); w != nil && p.here < p.total {
		p.bar = progressbar.NewOptions64(p.total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(10),
			progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(100*time.Millisecond))
	}
}

// onBytes is told how many bytes of a file are on this machine. The first call counts those of an earlier pull. The
// number falls when a file is fetched from its beginning again.
func (p *pullProgress) onBytes(file string, done, total int64) {
	before, known := p.of[file]
	if known {
		p.came += max(0, done-before)
	}
	p.file, p.of[file] = file, done
	p.here += done - before
	switch {
	case p.bar != nil:
		p.bar.Describe(p.line(fmt.Sprintf("file %d/%d", p.number(), len(p.files)))) // short, as no line may wrap
		p.bar.Set64(p.here)
	case done == total || time.Since(p.last) > 5*time.Second:
		p.last = time.Now()
		fmt.Fprintln(p.w, p.line(file))
	}
}

// number is the number of the file that is being fetched, counted from 1.
func (p *pullProgress) number() int {
	return 1 + slices.IndexFunc(p.files, func(f hub.File) bool { return f.Name == p.file })
}

// line describes the pull after some bytes of a file.
func (p *pullProgress) line(file string) string {
	s := fmt.Sprintf("%s, %s of %s", file, size(p.here), size(p.total))
	if t := time.Since(p.begin).Seconds(); p.came > 0 && t >= 1 { // in the first second a rate says little
		rate := float64(p.came) / t
		left := time.Duration(float64(p.total-p.here) / rate * float64(time.Second))
		s += fmt.Sprintf(", %s/s, ETA %v", size(int64(rate)), left.Round(time.Second))
	}
	return s
}

// note writes why the download waits.
func (p *pullProgress) note(message string) {
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintln(p.w, "ceto: warning:", message)
}

func (p *pullProgress) close() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	const kib = 1 << 10
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < kib {
			break
		}
		v, unit = v/kib, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
