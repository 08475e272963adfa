package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// useFlags are the flags of commands that use a run of ceto finetune.
type useFlags struct {
	*global
	dataFlags
	Run       string   `flag:"run" usage:"run folder of ceto finetune"`
	Text      string   `flag:"text" usage:"column of the texts" default:"(the columns of the run's own data)"`
	Embedding bool     `flag:"embedding" usage:"print also the vector that the head sees, in JSON"`
	Base      bool     `flag:"base" usage:"measure the pretrained model that the run began with (chat and lm)"`
	Metrics   []string `flag:"metrics" usage:"of chat: have the model answer, and compare its answers by:"`
	Tokens    int      `flag:"tokens" usage:"tokens of an answer, at most" range:"[1,16777216]" default:"128"`
	stride    int
	strict    bool
}

// Choices lists the metrics.
func (*useFlags) Choices(string) []string { return finetune.TextMetrics() }

func (f *useFlags) add(c *cobra.Command) {
	setting.Flags(c.Flags(), f, "run")
	f.dataFlags.add(c.Flags())
	setting.Var(c.Flags(), finetune.DataSettings{}, "strict", &f.strict)
}

// open opens the run and the data, which is read as the run's own unless flags say otherwise.
func (f *useFlags) open() (*finetune.Predictor, *record.Records, error) {
	if f.Run == "" {
		return nil, nil, usagef("--run is missing: name the run folder of ceto finetune")
	}
	exec, err := f.executor()
	if err != nil {
		return nil, nil, err
	}
	smallHeap()
	p, err := f.predictor(exec)
	if err != nil {
		return nil, nil, err
	}
	if d := p.Settings.Data; len(f.columns) == 0 && f.format == "" {
		f.columns = d.Columns
		if f.comma == "" {
			f.comma = d.Comma
		}
	}
	f.encoding, f.unpacked = cmp.Or(f.encoding, p.Settings.Data.Encoding), cmp.Or(f.unpacked, p.Settings.Data.MaxUnpacked)
	p.Settings.Data.Strict = p.Settings.Data.Strict || f.strict
	r, err := f.dataFlags.open()
	if err != nil {
		p.Close()
	}
	return p, r, err
}

// predictor opens the run, or the pretrained model that it began with.
func (f *useFlags) predictor(exec plan.Executor) (*finetune.Predictor, error) {
	if !f.Base {
		return finetune.OpenRun(f.Run, exec)
	}
	s, err := finetune.ReadSettings(filepath.Join(f.Run, finetune.SettingsFile))
	if err != nil {
		return nil, err
	}
	return finetune.OpenBase(s, exec)
}

func predictCmd(g *global) *cobra.Command {
	f := &useFlags{global: g}
	c := &cobra.Command{
		Use:   "predict",
		Short: "Answer each record of a file with a fine-tuned model",
		Long: `Answer each record of a file with what ceto finetune has made. Prints tab-separated lines, the answer, its probability and
the text; with --json one object a record.`,
		Example: `  ceto predict --run runs/2026-01-02-150405 --data new.csv --text text --json`,
		RunE:    func(c *cobra.Command, _ []string) error { return f.predict(c) },
	}
	f.add(c)
	setting.Flags(c.Flags(), f, "text", "embedding")
	return c
}

// predictChunk is the number of records that are answered together.
const predictChunk = 512

func (f *useFlags) predict(c *cobra.Command) error {
	p, r, err := f.open()
	if err != nil {
		return err
	}
	defer p.Close()
	defer r.Close()
	column := ""
	if f.Text != "" || p.Settings.Data.Text != "" {
		if f.Text == "" {
			f.Text = p.Settings.Data.Text
		}
		if column, err = needColumn(r, "text", f.Text); err != nil {
			return err
		}
	}
	w := c.OutOrStdout()
	var unusable record.Unusable
	for rows := range slices.Chunk(r.Rows(), predictChunk) {
		answers, texts, err := f.answers(p, r, column, rows)
		if err != nil {
			return err
		}
		for i, a := range answers {
			if a.Error != "" {
				unusable.Add(r, rows[i], errors.New(a.Error))
			}
			if f.JSON {
				err = printJSON(w, a)
			} else {
				_, err = fmt.Fprintf(w, "%v\t%s\n", a, strings.Join(strings.Fields(texts[i]), " "))
			}
			if err != nil {
				return err
			}
		}
	}
	if n := p.Truncated; n > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "ceto: warning: %d texts are longer than %d tokens; the rest of each was left out\n", n, p.Settings.Data.Context)
	}
	if unusable.Count == r.Len() {
		return errors.Errorf("%s: none of %d records could be answered: %v", f.path, r.Len(), unusable)
	}
	warnUnusable(c, unusable, "have no answer")
	return nil
}

// warnUnusable names the first records that could not be used.
func warnUnusable(c *cobra.Command, u record.Unusable, what string) {
	if u.Count > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "ceto: warning: %d records %s (--strict refuses them): %v\n", u.Count, what, u)
	}
}

// answers returns the model's answers to the given rows, and their texts. With a column the texts are that column's.
// Without one they are empty, and the run's layout reads each row.
func (f *useFlags) answers(p *finetune.Predictor, r *record.Records, column string, rows []int) (answers []finetune.Answer, texts []string, err error) {
	texts = make([]string, len(rows))
	if column == "" {
		answers, err = p.PredictRows(r, rows)
		return answers, texts, err
	}
	if answers, err = p.PredictColumn(r, column, rows); err != nil {
		return nil, nil, err
	}
	var usable []string
	var of []int
	for i, row := range rows {
		if answers[i].Error != "" {
			continue
		}
		if texts[i], err = r.Text(row, column); err != nil {
			return nil, nil, err
		}
		usable, of = append(usable, texts[i]), append(of, i)
	}
	if !f.Embedding {
		return answers, texts, nil
	}
	vectors, err := p.Embed(usable)
	for i, v := range vectors {
		answers[of[i]].Embedding = v
	}
	return answers, texts, err
}

func evalCmd(g *global) *cobra.Command {
	f := &useFlags{global: g}
	c := &cobra.Command{
		Use:     "eval",
		Short:   "Measure a fine-tuned model on labelled data",
		Long:    "Measure what ceto finetune has made on data with the columns of the run's own: metrics with 95 % intervals.",
		Example: `  ceto eval --run runs/2026-01-02-150405 --data test.csv --json`,
		RunE:    func(c *cobra.Command, _ []string) error { return f.eval(c) },
	}
	f.add(c)
	setting.Flags(c.Flags(), f, "base", "metrics", "tokens")
	setting.Var(c.Flags(), finetune.DataSettings{}, "stride", &f.stride)
	return c
}

func (f *useFlags) eval(c *cobra.Command) error {
	p, r, err := f.open()
	if err != nil {
		return err
	}
	defer p.Close()
	defer r.Close()
	if f.stride > 0 {
		p.Settings.Data.Stride = f.stride
	}
	metrics, ci, err := p.Evaluate(r)
	if err != nil {
		return usage(err)
	}
	if len(f.Metrics) > 0 {
		values, intervals, _, err := p.EvaluateText(r, nil, f.Metrics, f.Tokens)
		if err != nil {
			return err
		}
		maps.Copy(metrics, values)
		maps.Copy(ci, intervals)
	}
	warnUnusable(c, p.Unusable, "are left out, since they cannot be measured on")
	if f.JSON {
		report := map[string]any{"metrics": metrics, "ci95": ci, "n": r.Len()}
		if n := p.Unusable.Count; n > 0 {
			report["unusable"] = n
		}
		return printJSON(c.OutOrStdout(), report)
	}
	figures(c.OutOrStdout(), fmt.Sprintf("%s, %d records", f.path, r.Len()), metrics, ci)
	return nil
}
