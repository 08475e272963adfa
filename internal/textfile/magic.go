package textfile

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// kind is a kind of file that is no text.
type kind struct {
	at     int // where the magic stands
	magic  string
	name   string
	advice string // what to do, FILE standing for the path
}

// What can be done with files of several kinds.
const (
	ids    = "it holds token ids: give it to pretrain --data by itself, or in a folder with train and val in the names"
	python = `convert it: python3 -c "import pyarrow as a, pyarrow.parquet as p; `
	model  = "it holds a model's values"
)

// kinds are told by their first bytes.
var kinds = []kind{
	{0, "\x1f\x8b", "gzip within a compressed file", "unpack it first"},
	{0, "\x28\xb5\x2f\xfd", "Zstandard within a compressed file", "unpack it first"},
	{4, "\x31\x41\x59\x26\x53\x59", "a bzip2 file", "unpack it first: bunzip2 FILE"},
	{0, "\xfd7zXZ\x00", "an xz file", "unpack it first: unxz FILE"},
	{0, "\x5d\x00\x00", "an LZMA file", "unpack it first: unlzma FILE"},
	{0, "LZIP", "an lzip file", "unpack it first: lzip -d FILE"},
	{0, "\x04\x22\x4d\x18", "an LZ4 file", "unpack it first: lz4 -d FILE"},
	{0, "\x89LZO\x00", "an lzop file", "unpack it first: lzop -d FILE"},
	{0, "\xff\x06\x00\x00sNaPpY", "a Snappy file", "unpack it first"},
	{0, "\x1f\x9d", "a file of compress", "unpack it first: gunzip FILE"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first: 7z x FILE"},
	{0, "Rar!\x1a\x07", "a RAR archive", "unpack it first: unrar x FILE"},
	{0, "PK\x03\x04", "a ZIP archive, as .docx, .xlsx, .npz and .pt are too", "unpack it first: unzip FILE"},
	{0, "PK\x05\x06", "an empty ZIP archive", "give the texts themselves"},
	{257, "ustar", "a tar archive", "unpack it first: tar xf FILE"},
	{0, "PAR1", "a Parquet file", "unpack it first"},
	{0, "PARE", "an encrypted Parquet file", "decrypt it first"},
	{0, "ARROW1", "an Arrow file (Feather, version 2)",
		python + `p.write_table(a.ipc.open_file(a.memory_map('FILE')).read_all(), 'FILE.parquet')"`},
	{0, "\xff\xff\xff\xff", "an Arrow stream",
		python + `p.write_table(a.ipc.open_stream(a.memory_map('FILE')).read_all(), 'FILE.parquet')"`},
	{0, "FEA1", "a Feather file (version 1)",
		`convert it: python3 -c "import pandas; pandas.read_feather('FILE').to_parquet('FILE.parquet')"`},
	{0, "ORC", "an ORC file", `convert it: python3 -c "import pandas; pandas.read_orc('FILE').to_parquet('FILE.parquet')"`},
	{0, "Obj\x01", "an Avro file", "convert it to JSON lines or Parquet"},
	{0, "\x89HDF\r\n\x1a\n", "an HDF5 file", "convert it to CSV or Parquet"},
	{0, "SQLite format 3\x00", "an SQLite database", `export it: sqlite3 -csv -header FILE "SELECT …"`},
	{0, "\x93NUMPY", "a NumPy array (.npy)", ids},
	{0, "\x88\x3e\x34\x01", "a token file of llm.c", ids}, // 20240520
	{0, "\xa1\x3f\x34\x01", "a token file of llm.c", ids}, // 20240801
	{0, "GGUF", "a GGUF file", model},
	{0, "%PDF-", "a PDF", "take its text out: pdftotext FILE"},
	{0, "{\\rtf", "a Rich Text file", "save it as plain text"},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.doc, .xls)", "save it as plain text or CSV"},
	{0, "\x89PNG\r\n\x1a\n", "a PNG image", ""},
	{0, "\xff\xd8\xff", "a JPEG image", ""},
	{0, "GIF87a", "a GIF image", ""},
	{0, "GIF89a", "a GIF image", ""},
	{0, "II*\x00", "a TIFF image", ""},
	{0, "MM\x00*", "a TIFF image", ""},
	{8, "WEBP", "a WebP image", ""},
	{8, "WAVEfmt ", "a WAV sound", ""},
	{4, "ftyp", "an MP4 film", ""},
	{0, "OggS\x00", "an Ogg file", ""},
	{0, "fLaC\x00", "a FLAC sound", ""},
	{0, "ID3\x03", "an MP3 sound", ""},
	{0, "ID3\x04", "an MP3 sound", ""},
	{0, "\x7fELF", "a program (ELF)", ""},
	{0, "\xcf\xfa\xed\xfe", "a program (Mach-O)", ""},
	{0, "\xca\xfe\xba\xbe", "a program (Mach-O, or a Java class)", ""},
	{0, "\x00asm", "a program (WebAssembly)", ""},
	{0, lfs, "a Git LFS pointer, not the file itself", "fetch the file: git lfs pull"},
}

// always are magics of letters that tell a kind even where all is text.
var always = map[string]bool{"%PDF-": true, "{\\rtf": true, lfs: true}

// lfs begins a pointer of Git's large file storage.
const lfs = "version https://git-lfs.github.com/spec/"

// printed tells whether a magic is made of letters alone.
func printed(magic string) bool {
	return strings.IndexFunc(magic, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// RefuseIDs is [Refuse] where token ids are wanted in the place of text. Ids may begin with any few bytes by chance, so
// only kinds count that at least 4 bytes tell.
func RefuseIDs(path string, head []byte) error {
	for _, k := range kinds {
		if len(k.magic) >= 4 && k.magic != "\xff\xff\xff\xff" && len(head) >= k.at && bytes.HasPrefix(head[k.at:], []byte(k.magic)) {
			return refusal(k.name, "token ids", strings.ReplaceAll(k.advice, "FILE", path))
		}
	}
	if bytes.HasPrefix(head, []byte("\x1f\x8b\x08")) && len(head) > 3 && head[3] < 0x20 {
		return refusal("a gzip file", "token ids", "unpack it first: gunzip "+path)
	}
	return nil
}

// Plain tells whether the first bytes of a file look like text in UTF-8.
func Plain(head []byte) bool { return isUTF8(head) && !control(head) }

// isUTF8 tells whether the first bytes are text in UTF-8, of which the last character may be cut.
func isUTF8(head []byte) bool {
	for i := 0; i < utf8.UTFMax && len(head) > 0 && !utf8.Valid(head); i++ {
		head = head[:len(head)-1]
	}
	return utf8.Valid(head) && bytes.IndexByte(head, 0) < 0
}

// Refuse returns an error for a file whose first bytes tell that it is no text. It names the kind and what to do.
func Refuse(path string, head []byte) error {
	sound := isUTF8(head)
	for _, k := range kinds {
		if len(head) < k.at || !bytes.HasPrefix(head[k.at:], []byte(k.magic)) {
			continue
		}
		if sound && !always[k.magic] && printed(k.magic) {
			continue // a text may begin with these letters
		}
		return refusal(k.name, "text", strings.ReplaceAll(k.advice, "FILE", path))
	}
	switch {
	case bytes.HasPrefix(head, []byte("MZ")) && bytes.IndexByte(head, 0) >= 0:
		return refusal("a program of Windows", "text", "")
	case len(head) > 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && bytes.IndexByte(head, 0) >= 0:
		return refusal("a Python pickle", "text", "save its texts as JSON lines")
	case len(head) > 9 && binary.LittleEndian.Uint64(head) < 100<<20 && head[8] == '{' && head[9] == '"':
		return refusal("a safetensors file", "text", model)
	}
	return nil
}

func refusal(name, want, advice string) error {
	if advice == "" {
		return errors.Errorf("%s, want %s", name, want)
	}
	return errors.Errorf("%s, want %s; %s", name, want, advice)
}
