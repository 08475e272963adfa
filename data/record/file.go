package record

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/internal/textfile"
	"github.com/pkg/errors"
)

var formats = map[string]Format{
	".csv": CSV, ".tsv": TSV, ".tab": TSV, ".json": JSON, ".jsonl": JSON, ".ndjson": JSON, ".txt": Lines, ".text": Lines,
}

// formatOf returns the format that a file's extension tells, or "".
func formatOf(path string) Format {
	name := strings.ToLower(path)
	return formats[filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst"))]
}

// find returns path if it is a file, or the data files that lie directly in the folder. Those are the files of the
// wanted format or, where there are none, all, so that a folder of .txt can be read as TSV.
func find(path string, want Format) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Wrap(err, "record: Open")
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, errors.Wrap(err, "record: Open")
	}
	by := map[Format][]string{}
	var all []string
	for _, e := range entries {
		p, f := filepath.Join(path, e.Name()), formatOf(e.Name())
		if info, err := os.Stat(p); f == "" || strings.HasPrefix(e.Name(), ".") || err != nil || !info.Mode().IsRegular() {
			continue
		}
		by[f], all = append(by[f], p), append(all, p)
	}
	switch {
	case len(all) == 0:
		return nil, errors.Errorf("record: %s: no files of data (.csv, .tsv, .json, .jsonl, .txt, also .gz, .zst)", path)
	case len(by[want]) > 0:
		return by[want], nil
	case want == "" && len(by) > 1:
		return nil, errors.Errorf("record: %s: files of %d formats (%s …), choose one by its format",
			path, len(by), filepath.Base(all[0]))
	}
	return all, nil
}

// file is one file of records.
type file struct {
	path   string
	src    io.ReaderAt
	size   int64
	closer io.Closer
	format Format
	comma  byte
	max    int
	array  bool    // JSON: one array, not an object a line
	starts []int64 // offset of each record
	place  []int   // where a record of this file has each column of the Records; not for JSON
	names  string  // where the columns come from: "the header"
}

// open opens a file and finds its format.
func open(path string, o Options) (*file, error) {
	f := &file{path: path, format: o.Format, comma: o.Comma, max: o.MaxRecord}
	if f.format == "" {
		f.format = formatOf(path)
	}
	if f.format == "" {
		return nil, errors.Errorf("record: %s: extension %q tells no format, give one: csv, tsv, json or text",
			path, filepath.Ext(path))
	}
	if f.format == TSV {
		f.comma = '\t'
	}
	t, err := textfile.Open(path, textfile.Options{Encoding: o.Encoding, MaxUnpacked: o.MaxUnpacked})
	if err != nil {
		return nil, errors.Wrap(err, "record")
	}
	f.src, f.size, f.closer = t, t.Size, t
	return f, nil
}

func (f *file) close() error {
	return f.closer.Close()
}

// where tells a place as "file:line".
func (f *file) where(offset int64) string {
	line, buf, r := 1, make([]byte, 64<<10), io.NewSectionReader(f.src, 0, offset)
	for {
		n, err := r.Read(buf)
		line += bytes.Count(buf[:n], []byte("\n"))
		if err != nil {
			return f.path + ":" + strconv.Itoa(line)
		}
	}
}

// index reads the whole file: it checks each record, notes where it begins, and gives r the columns.
func (f *file) index(r *Records, o Options) error {
	s := newScanner(64 << 10)
	s.reset(f, 0)
	err := f.prologue(s)
	if err == nil && f.format != JSON {
		err = f.header(s, r, o)
	} else if err == nil && o.Columns != nil {
		err = errors.New("Columns is for files without names; JSON has its own")
	}
	for err == nil {
		if err = s.next(); err == nil {
			err = f.check(s, r)
		}
		if err == nil {
			f.starts = append(f.starts, s.start)
		}
	}
	if err != io.EOF {
		return errors.Errorf("record: %s: %v", f.where(s.start), err)
	}
	return nil
}

// prologue skips a byte order mark and finds whether JSON is one array.
func (f *file) prologue(s *scanner) error {
	head, err := s.b.Peek(3)
	if err != nil && err != io.EOF {
		return err
	}
	if string(head) == "\ufeff" {
		s.skip(3)
	}
	if f.format != JSON {
		return nil
	}
	c, err := s.peekByte()
	f.array = err == nil && c == '['
	s.array = f.array
	return nil
}

// header gives r the columns, or finds the places of r's columns among those of this file.
func (f *file) header(s *scanner, r *Records, o Options) error {
	columns := o.Columns
	f.names = "Columns"
	if columns == nil && f.format == Lines {
		columns = []string{"text"}
	}
	if columns == nil {
		f.names = "the header"
		if err := s.next(); err != nil {
			return err
		}
		if s.fields > maxColumns {
			return errors.Errorf("%d columns, at most %d", s.fields, maxColumns)
		}
		for i := range s.fields {
			v, err := f.field(s.rec, i)
			if err != nil {
				return err
			}
			columns = append(columns, strings.TrimSpace(string(v)))
		}
	}
	if len(r.columns) == 0 {
		r.columns = slices.Clone(columns)
		for i, c := range columns {
			if _, twice := r.number[c]; twice {
				return errors.Errorf("two columns are called %q", c)
			}
			r.number[c] = i
		}
	}
	for _, c := range r.columns {
		f.place = append(f.place, slices.Index(columns, c))
	}
	if slices.Contains(f.place, -1) || len(columns) != len(r.columns) {
		return errors.Errorf("columns %s, the first file has %s", names(columns), names(r.columns))
	}
	return nil
}

// check refuses a record that is broken.
func (f *file) check(s *scanner, r *Records) error {
	switch {
	case f.format == JSON:
		return keys(s.rec, r)
	case s.fields != len(f.place):
		return errors.Errorf("%d fields, %s has %d", s.fields, f.names, len(f.place))
	}
	return nil
}

// value returns column c of the record at offset; it is valid until s is used again.
func (f *file) value(s *scanner, offset int64, c int, column string) ([]byte, error) {
	s.reset(f, offset)
	if err := s.next(); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if f.format == JSON {
		return member(s.rec, column)
	}
	return f.field(s.rec, f.place[c])
}

// field returns field i of a record.
func (f *file) field(rec []byte, i int) ([]byte, error) {
	if f.format == Lines {
		return rec, nil
	}
	for ; ; i-- {
		n, _, err := span(rec, f.comma, f.format == CSV, false)
		switch {
		case err != nil:
			return nil, err
		case i == 0:
			return unquote(rec[:n], f.format == CSV), nil
		case n == len(rec):
			return nil, errors.New("the file has changed since it was opened")
		}
		rec = rec[n+1:]
	}
}
