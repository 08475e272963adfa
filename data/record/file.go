package record

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

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

// twicePlace stands for the place of a column whose name another column has, too.
const twicePlace = -1

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
	within bool    // the array is a member of an object
	starts offsets // of each record
	place  []int   // where a record of this file has each column of the Records, or twicePlace; not for JSON
	fields int     // that a record has; not for JSON
	names  string  // where the columns come from: "the header"

	mu    sync.Mutex
	asked int64 // a place that linesTo was asked for
	above int   // line ends before it
}

// open opens a file and finds its format.
func open(path string, o Options) (*file, error) {
	f := &file{path: path, format: o.Format, comma: o.Comma, max: o.MaxRecord}
	t, err := textfile.Open(path, textfile.Options{Encoding: o.Encoding, MaxUnpacked: o.MaxUnpacked, Rows: true})
	if err != nil {
		return nil, errors.Wrap(err, "record")
	}
	f.src, f.size, f.closer = t, t.Size, t
	if f.format == "" {
		f.format = formatOf(path)
	}
	if t.Rows {
		f.format = JSON
	}
	if f.format == "" {
		t.Close()
		return nil, errors.Errorf("record: %s: extension %q tells no format, give one: csv, tsv, json or text",
			path, filepath.Ext(path))
	}
	if f.format == TSV {
		f.comma = '\t'
	}
	return f, nil
}

func (f *file) close() error {
	return f.closer.Close()
}

// where tells the place of record k as "file:line", and its number, from 1, if the line has other records.
func (f *file) where(k int) string {
	return f.named(f.starts.at(k), k)
}

// named is where of a record that begins at start.
func (f *file) named(start int64, k int) string {
	place := f.path + ":" + strconv.Itoa(1+f.linesTo(start))
	if k > 0 && f.lines(f.starts.at(k-1), start) == 0 || k+1 < f.starts.n && f.lines(start, f.starts.at(k+1)) == 0 {
		place += " (record " + strconv.Itoa(k+1) + ")"
	}
	return place
}

// linesTo counts the line ends before a place, from the place that was asked for before if that is in front.
func (f *file) linesTo(to int64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to < f.asked {
		f.asked, f.above = 0, 0
	}
	f.above += f.lines(f.asked, to)
	f.asked = to
	return f.above
}

// lines counts the line ends between two places.
func (f *file) lines(from, to int64) (n int) {
	buf, r, cr := make([]byte, 64<<10), io.NewSectionReader(f.src, from, to-from), false
	for {
		k, err := r.Read(buf)
		b := buf[:k]
		if cr && k > 0 && b[0] == '\n' { // its CR was counted
			b = b[1:]
		}
		n += bytes.Count(b, []byte("\n")) + bytes.Count(b, []byte("\r")) - bytes.Count(b, []byte("\r\n"))
		cr = bytes.HasSuffix(buf[:k], []byte("\r"))
		if err != nil {
			return n
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
			f.starts.add(s.start)
		}
	}
	if err != io.EOF {
		return errors.Errorf("record: %s: %v", f.named(s.start, f.starts.n), err)
	}
	return nil
}

// prologue skips a byte order mark and finds whether JSON is one array, perhaps within an object.
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
	if err == nil && c == '{' {
		return f.wrapped(s)
	}
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
		for rest := s.rec; len(columns) < s.fields; {
			n, _ := span(rest, f.comma, f.format == CSV, false)
			columns = append(columns, strings.TrimSpace(string(unquote(rest[:n], f.format == CSV))))
			rest = rest[min(n+1, len(rest)):]
		}
	}
	f.fields = len(columns)
	place := map[string]int{}
	for i, c := range columns {
		if _, twice := place[c]; twice {
			i = twicePlace
		}
		place[c] = i
	}
	delete(place, "") // a column without a name is passed over
	if len(r.columns) == 0 {
		for _, c := range columns {
			if _, known := r.number[c]; known || c == "" {
				continue
			}
			r.number[c] = len(r.columns)
			r.columns = append(r.columns, c)
		}
	}
	for _, c := range r.columns {
		i, ok := place[c]
		if !ok || len(place) != len(r.columns) {
			return errors.Errorf("columns %s, the first file has %s", names(columns), names(r.columns))
		}
		f.place = append(f.place, i)
	}
	return nil
}

// check refuses a record that is broken.
func (f *file) check(s *scanner, r *Records) error {
	switch {
	case f.format == JSON:
		return keys(s.rec, r)
	case s.fields != f.fields:
		return errors.Errorf("%d fields, %s has %d", s.fields, f.names, f.fields)
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
	if f.place[c] == twicePlace {
		return nil, errors.Errorf("two columns are called %q; rename one of them", column)
	}
	return f.field(s.rec, f.place[c])
}

// field returns field i of a record.
func (f *file) field(rec []byte, i int) ([]byte, error) {
	if f.format == Lines {
		return rec, nil
	}
	for ; ; i-- {
		n, _ := span(rec, f.comma, f.format == CSV, false)
		switch {
		case i == 0:
			return unquote(rec[:n], f.format == CSV), nil
		case n == len(rec):
			return nil, errors.New("the file has changed since it was opened")
		}
		rec = rec[n+1:]
	}
}
