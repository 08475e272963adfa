package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/spf13/cobra"
)

// useFlags are the flags of commands that use a run of ceto finetune.
type useFlags struct {
	*global
	dataFlags
	run, text string
	base      bool
	embedding bool
	metrics   []string
	tokens    int
	stride    int
}

func (f *useFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.run, "run", "", "run folder of ceto finetune")
	f.dataFlags.add(c.Flags())
}

// open opens the run and the data, which is read as the run's own unless flags say otherwise.
func (f *useFlags) open() (*finetune.Predictor, *record.Records, error) {
	if f.run == "" {
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
	r, err := f.dataFlags.open()
	if err != nil {
		p.Close()
	}
	return p, r, err
}

// predictor opens the run, or the pretrained model that it began with.
func (f *useFlags) predictor(exec plan.Executor) (*finetune.Predictor, error) {
	if !f.base {
		return finetune.OpenRun(f.run, exec)
	}
	s, err := finetune.Load(filepath.Join(f.run, finetune.SettingsFile))
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
	c.Flags().StringVar(&f.text, "text", "", "column of the texts (default: the columns of the run's own data)")
	c.Flags().BoolVar(&f.embedding, "embedding", false, "also the vector that the head sees, in JSON")
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
	if f.text != "" || p.Settings.Data.Text != "" {
		if f.text == "" {
			f.text = p.Settings.Data.Text
		}
		if column, err = needColumn(r, "text", f.text); err != nil {
			return err
		}
	}
	w := c.OutOrStdout()
	for rows := range slices.Chunk(r.Rows(), predictChunk) {
		answers, texts, err := f.answers(p, r, column, rows)
		if err != nil {
			return err
		}
		for i, a := range answers {
			if f.json {
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
	return nil
}

// answers are those to records: to their texts, or where no column is named to what the run's layout makes of them.
func (f *useFlags) answers(p *finetune.Predictor, r *record.Records, column string, rows []int) (answers []finetune.Answer, texts []string, err error) {
	texts = make([]string, len(rows))
	if column == "" {
		answers, err = p.PredictRows(r, rows)
		return answers, texts, err
	}
	for i, row := range rows {
		if texts[i], err = r.Text(row, column); err != nil {
			return nil, nil, err
		}
	}
	if answers, err = p.Predict(texts); err != nil || !f.embedding {
		return answers, texts, err
	}
	vectors, err := p.Embed(texts)
	for i, v := range vectors {
		answers[i].Embedding = v
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
	c.Flags().BoolVar(&f.base, "base", false, "measure the pretrained model that the run began with (chat and lm)")
	c.Flags().StringSliceVar(&f.metrics, "metrics", nil, "of chat: have it answer, and compare by "+strings.Join(finetune.TextMetrics(), ", "))
	c.Flags().IntVar(&f.stride, "stride", 0, "of lm: tokens from one window to the next, so that each is foretold from more of the text (default the context)")
	c.Flags().IntVar(&f.tokens, "tokens", 128, "tokens of an answer, at most")
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
	if len(f.metrics) > 0 {
		values, intervals, _, err := p.EvaluateText(r, nil, f.metrics, f.tokens)
		if err != nil {
			return err
		}
		maps.Copy(metrics, values)
		maps.Copy(ci, intervals)
	}
	if f.json {
		return printJSON(c.OutOrStdout(), map[string]any{"metrics": metrics, "ci95": ci, "n": r.Len()})
	}
	figures(c.OutOrStdout(), fmt.Sprintf("%s, %d records", f.path, r.Len()), metrics, ci)
	return nil
}
