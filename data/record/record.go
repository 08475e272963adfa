// Package record reads people's own data, a record at a time. The data is CSV, TSV, JSON or plain text, also packed by
// gzip or Zstandard, in one file or a folder. The package counts classes, divides records, and finds duplicates and
// leaks; [Check] does all of that at once.
//
//	r, err := record.Open("sms.csv", record.Options{})
//	defer r.Close()
//	text, err := r.Text(0, "text")
//	classes, err := r.Classes("label")
//	parts, err := record.Split(r.Rows(), classes, seed, 0.8, 0.1, 0.1) // train, val, test
//	leaks, err := record.Near{Text: r.Column("text")}.Leaks(parts[0], parts[2])
//
// Data may be larger than memory. Open reads a file once, checks every record and keeps where each begins, in 4 bytes a
// record. The records themselves are read and parsed when they are asked for. Only a file that is
// compressed, or not in UTF-8, is in memory, as there is no seeking in it.
package record

import (
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/pkg/errors"
)

// Format is a layout of files.
type Format string

const (
	// CSV is RFC 4180: fields between commas, quoted by " where they hold commas, quotes or line ends. A quote in a
	// field that does not begin with one is text, as in Python's csv.
	CSV Format = "csv"
	// TSV is fields between tabs, a record a line; quotes are plain characters, as the media type
	// text/tab-separated-values has them. For quoted fields between tabs set CSV and Comma '\t'.
	TSV Format = "tsv"
	// JSON is objects, one a line (JSON Lines) or over several, or one array of objects. The array may be a member of
	// an object, {"data": [{…}, …]}, if no other member is a list of objects. The content tells which it is.
	// Numbers may be NaN, Infinity and -Infinity, as Python writes them.
	JSON Format = "json"
	// Lines is plain text: a record a line, its one column "text".
	Lines Format = "text"
)

// Options says how to read. The zero value takes the format from the extension and the columns from the first line. The
// extensions are .csv, .tsv, .tab, .json, .jsonl, .ndjson, .txt and .text, each also with .gz or .zst.
type Options struct {
	Format      Format
	Columns     []string // names of the columns of a file without a header: CSV, TSV and Lines
	Comma       byte     // between the fields of CSV; 0 is ','
	MaxRecord   int      // bytes that a record may have; 0 is 16 MiB
	MaxUnpacked int64    // bytes that a compressed file may unpack to; 0 is 1 GiB
	Encoding    string   // of the text, such as windows-1252; "" recognises UTF-8, UTF-16 and UTF-32
}

const (
	maxRecord  = 16 << 20
	maxColumns = 4096
)

// Records is an open set of records, numbered from 0. It is safe for concurrent use, Close apart.
type Records struct {
	path    string // that was opened
	columns []string
	number  map[string]int // of a column: its place in columns
	files   []*file
	first   []int // number of the first record of each file
	kept    []int // numbers in the files of the records that Drop left; nil for all
	n       int
}

// Open opens a file, or the files of known extension that lie directly in a folder, in the order of their names. The
// files of a folder have one format. Options.Format chooses one where there are several. Files that are not JSON have
// the same columns.
//
// Text is UTF-8, UTF-16 or UTF-32, or in Options.Encoding, with or without a byte order mark. Lines end with LF, CR LF
// or CR; within quotes, all are read as LF. Empty lines are skipped. The first broken record is an error with its file
// and line.
//
// Columns without a name are passed over. Columns of one name are an error where the name is used.
func Open(path string, o Options) (*Records, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	paths, err := find(path, o.Format)
	if err != nil {
		return nil, err
	}
	r := &Records{path: path, number: map[string]int{}}
	for _, p := range paths {
		if err := r.add(p, o); err != nil {
			r.Close()
			return nil, err
		}
	}
	if r.n == 0 {
		r.Close()
		return nil, errors.Errorf("record: %s: no records", path)
	}
	return r, nil
}

// complete checks options and fills in those that are not given.
func (o Options) complete() (Options, error) {
	switch o.Format {
	case "", CSV, TSV, JSON, Lines:
	default:
		return o, errors.Errorf("record: format %q, want csv, tsv, json or text", o.Format)
	}
	if o.Comma == 0 {
		o.Comma = ','
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = maxRecord
	}
	if strings.IndexByte("\"\r\n", o.Comma) >= 0 || o.Comma >= 0x80 || o.MaxRecord < 0 || o.MaxUnpacked < 0 {
		return o, errors.Errorf("record: comma %q, at most %d bytes a record, %d unpacked: want an ASCII comma and positive limits",
			o.Comma, o.MaxRecord, o.MaxUnpacked)
	}
	return o, nil
}

// add opens one more file.
func (r *Records) add(path string, o Options) error {
	f, err := open(path, o)
	if err != nil {
		return err
	}
	r.files, r.first = append(r.files, f), append(r.first, r.n)
	if err := f.index(r, o); err != nil {
		return err
	}
	r.n += f.starts.n
	return nil
}

// Close closes the files.
func (r *Records) Close() error {
	var first error
	for _, f := range r.files {
		if err := f.close(); err != nil && first == nil {
			first = errors.Wrap(err, "record: Close")
		}
	}
	return first
}

// Len is the number of records.
func (r *Records) Len() int { return r.n }

// Rows returns the numbers of all records, in order.
func (r *Records) Rows() []int {
	rows := make([]int, r.n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// Columns returns the names of the columns, each once. JSON has all keys of all objects, in the order in which they
// first appear.
func (r *Records) Columns() []string { return append([]string(nil), r.columns...) }

// Unique returns an error where two columns of a file have the name.
func (r *Records) Unique(column string) error {
	c, ok := r.number[column]
	for _, f := range r.files {
		if ok && f.format != JSON && f.place[c] == twicePlace {
			return errors.Errorf("record: %s: two columns are called %q; rename one of them", f.path, column)
		}
	}
	return nil
}

// Has tells whether there is a column of that name.
func (r *Records) Has(column string) bool {
	_, ok := r.number[column]
	return ok
}

// Text returns a column of record i as text: JSON's numbers and booleans as they are written, null, NaN and a missing
// key as "". An object or array is an error; [Records.Raw] returns it.
func (r *Records) Text(i int, column string) (string, error) {
	var text string
	err := r.value(i, column, func(v []byte, isJSON bool) (err error) {
		if text = string(v); isJSON {
			text, err = plain(v)
		}
		return errors.Wrapf(err, "column %q", column)
	})
	return text, err
}

// Raw returns a column of record i as it is in the file. From JSON it is the value with its quotes or brackets, such as
// a chat's "messages", and nil for a missing key. NaN and infinities are null. From other formats it is the bytes of
// [Records.Text].
func (r *Records) Raw(i int, column string) ([]byte, error) {
	var raw []byte
	err := r.value(i, column, func(v []byte, isJSON bool) error {
		if isJSON {
			v = withoutNaN(v, func(string) string { return "null" })
		}
		raw = append(raw, v...)
		return nil
	})
	return raw, err
}

// Texts gives the text of record i: a column of Records, or whatever a program has. It may be called concurrently.
type Texts func(i int) (string, error)

// Column returns the texts of a column.
func (r *Records) Column(column string) Texts {
	return func(i int) (string, error) { return r.Text(i, column) }
}

// Where tells where record i is, as "file:line", or "file:line (record N)" if the line has others. It counts lines from
// the record that was asked for before, or from the start of the file. It is meant for messages.
func (r *Records) Where(i int) string {
	if i < 0 || i >= r.n {
		return "record " + strconv.Itoa(i)
	}
	f, k := r.at(i)
	return f.where(k)
}

// at returns the file of record i and the number of the record in it. Where files begin with the same record, all but
// the last are empty.
func (r *Records) at(i int) (*file, int) {
	if r.kept != nil {
		i = r.kept[i]
	}
	f := sort.SearchInts(r.first, i+1) - 1
	return r.files[f], i - r.first[f]
}

var scanners = sync.Pool{New: func() any { return newScanner(4096) }}

// value hands a column of record i to use, which must not keep it.
func (r *Records) value(i int, column string, use func(v []byte, isJSON bool) error) error {
	c, ok := r.number[column]
	if !ok {
		return errors.Errorf("record: no column %q; there are %s (a file without a header needs names for its columns)",
			column, names(r.columns))
	}
	if i < 0 || i >= r.n {
		return errors.Errorf("record: record %d, want from 0 to %d", i, r.n-1)
	}
	f, k := r.at(i)
	s := scanners.Get().(*scanner)
	defer s.release()
	v, err := f.value(s, f.starts.at(k), c, column)
	if err == nil {
		err = use(v, f.format == JSON)
	}
	if err != nil {
		return errors.Errorf("record: %s: %v", f.where(k), err)
	}
	return nil
}

// names lists columns for a message, the first 20 of them and 40 characters of each.
func names(columns []string) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 20 {
			b.WriteString("… (" + strconv.Itoa(len(columns)) + ")")
			break
		}
		if r := []rune(c); len(r) > 40 {
			c = string(r[:40]) + "…"
		}
		b.WriteString(strconv.Quote(c))
	}
	return b.String()
}
