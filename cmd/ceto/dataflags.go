package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/internal/setting"
	"github.com/ceto-ml/ceto/train/finetune"
	"github.com/spf13/pflag"
)

// dataFlags name a user's data and say how it is read, as the settings of fine-tuning do.
type dataFlags struct {
	path, format, comma string
	columns             []string
	encoding            data.Encoding
	unpacked            float64
}

func (f *dataFlags) add(fl *pflag.FlagSet) {
	for name, p := range map[string]any{"data": &f.path, "format": &f.format, "columns": &f.columns, "comma": &f.comma,
		"encoding": &f.encoding, "max-unpacked": &f.unpacked} {
		setting.Var(fl, finetune.DataSettings{}, name, p)
	}
}

// open opens the data that --data names.
func (f *dataFlags) open() (*record.Records, error) {
	if f.path == "" {
		return nil, usagef("--data is missing: name a CSV, TSV, JSON or text file")
	}
	return f.openFile(f.path)
}

// openFile opens another file, and reads it by the same flags as the file of --data.
func (f *dataFlags) openFile(path string) (*record.Records, error) {
	o := record.Options{Format: record.Format(f.format), Columns: f.columns, Encoding: string(f.encoding), MaxUnpacked: int64(min(f.unpacked, 1<<30) * (1 << 30))}
	if !slices.Contains([]record.Format{"", record.CSV, record.TSV, record.JSON, record.Lines}, o.Format) {
		return nil, usagef("--format %q: want csv, tsv, json or text", f.format)
	}
	switch {
	case f.comma == "tab", f.comma == `\t`:
		o.Comma = '\t'
	case len(f.comma) == 1:
		o.Comma = f.comma[0]
	case f.comma != "":
		return nil, usagef("--comma %q: want one ASCII character, or tab", f.comma)
	}
	return record.Open(path, o)
}

// needColumn returns the column that a flag names. Where the flag was not given, it is the column of the flag's name.
func needColumn(r *record.Records, flag, name string) (string, error) {
	if name == "" {
		name = flag
		if !slices.Contains(r.Columns(), name) {
			return "", usagef("--%s is missing: name one of the columns %s", flag, columnNames(r))
		}
	}
	if !slices.Contains(r.Columns(), name) {
		return "", usagef("--%s %s: no such column; there are %s", flag, name, columnNames(r))
	}
	return name, usage(r.Unique(name))
}

// wantColumn is needColumn for data that may lack the column: then it returns "", unless the flag was given.
func wantColumn(r *record.Records, flag, name string) (string, error) {
	if name == "" && !slices.Contains(r.Columns(), flag) {
		return "", nil
	}
	return needColumn(r, flag, name)
}

// columnNames lists the first columns for a message, and cuts long names.
func columnNames(r *record.Records) string {
	const most, long = 20, 40
	all := r.Columns()
	var names []string
	for _, c := range all[:min(most, len(all))] {
		names = append(names, fmt.Sprintf("%q", cut(c, long)))
	}
	if len(all) > most {
		names = append(names, fmt.Sprintf("… (%d in all)", len(all)))
	}
	return strings.Join(names, ", ")
}

// cut returns the first n characters of a text on one line, and an ellipsis where there are more.
func cut(s string, n int) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > n {
		return string(r[:n]) + "…"
	}
	return string(r)
}
