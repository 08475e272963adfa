package textfile

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

func zstandard(text string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(text), nil))
}

func wideText(text string, w wide) string {
	var b []byte
	put := func(u uint32) {
		for i := range w.size {
			k := i
			if w.big {
				k = w.size - 1 - i
			}
			b = append(b, byte(u>>(8*k)))
		}
	}
	for _, r := range text {
		if w.size == 4 {
			put(uint32(r))
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			put(uint32(u))
		}
	}
	return string(b)
}

func TestRead(t *testing.T) {
	const text = "Grüße, naïve café – 12 €.\nsecond line 😀\n"
	long := strings.Repeat("a line that is here to be read, é😀\n", 5000)
	le, be, le32, be32 := *wides["utf-16le"], *wides["utf-16be"], *wides["utf-32le"], *wides["utf-32be"]
	for _, c := range []struct{ name, in, encoding, want string }{
		{"UTF-8", text, "", text},
		{"UTF-8 with a mark", "\ufeff" + text, "", text},
		{"empty", "", "", ""},
		{"gzip", gzipped(text), "", text},
		{"gzip, two members", gzipped(text) + gzipped("more"), "", text + "more"},
		{"Zstandard", zstandard(text), "", text},
		{"Zstandard, two frames", zstandard(text) + zstandard("more"), "", text + "more"},
		{"UTF-16 with a mark", "\xff\xfe" + wideText(text, le), "", text},
		{"UTF-16 big-endian with a mark", "\xfe\xff" + wideText(text, be), "", text},
		{"UTF-16 without a mark", wideText(text, le), "", text},
		{"UTF-16 big-endian without a mark", wideText(text, be), "", text},
		{"UTF-32 with a mark", "\xff\xfe\x00\x00" + wideText(text, le32), "", text},
		{"UTF-32 big-endian with a mark", "\x00\x00\xfe\xff" + wideText(text, be32), "", text},
		{"UTF-32 without a mark", wideText(text, le32), "", text},
		{"UTF-32 big-endian without a mark", wideText(text, be32), "", text},
		{"long UTF-16", wideText(long, le), "", long},
		{"long UTF-16, odd pairs", wideText("x"+long, le), "", "x" + long},
		{"UTF-16 in gzip", gzipped("\xff\xfe" + wideText(long, le)), "", long},
		{"UTF-16 by name, mark decides", "\xfe\xff" + wideText(text, be), "utf-16", text},
		{"UTF-16 by name", wideText("漢字", le), "UTF16-LE", "漢字"},
		{"windows-1252", "caf\xe9 \x80\n", "windows-1252", "café €\n"},
		{"Latin-1", "caf\xe9\n", "latin1", "café\n"},
		{"Latin-1 in gzip", gzipped("caf\xe9\n"), "ISO-8859-1", "café\n"},
		{"Shift-JIS", "\x93\xfa\x96\x7b\n", "shift-jis", "日本\n"},
		{"GBK", "\xd6\xd0\xce\xc4\n", "gbk", "中文\n"},
		{"GB18030", "\xd6\xd0\xce\xc4\n", "GB18030", "中文\n"},
		{"Big5", "\xa4\xa4\xa4\xe5\n", "big5", "中文\n"},
		{"EUC-KR", "\xc7\xd1\xb1\xdb\n", "cp949", "한글\n"},
		{"KOI8-R", "\xcd\xc9\xd2\n", "koi8_r", "мир\n"},
		{"binary", "\x00\xff\x1f\x8b", "binary", "\x00\xff\x1f\x8b"},
		{"binary of gzip", "\x1f\x8bxx", "binary", "\x1f\x8bxx"},
		{"letters of a magic", "ORCHESTRA and GGUF\n", "", "ORCHESTRA and GGUF\n"},
		{"letters of a program", "MZ is here\n", "", "MZ is here\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Read(write(t, "a.txt", []byte(c.in)), Options{Encoding: c.encoding})
			if err != nil || string(got) != c.want {
				t.Errorf("read %.60q and error %v, want %.60q", got, err, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	noise := strings.Repeat("\xfe\x00\x81", 400)
	le := *wides["utf-16le"]
	for _, c := range []struct{ name, in, encoding, want string }{
		{"bzip2", "BZh91AY&SY" + noise, "", "a.txt: a bzip2 file, want text; unpack it first: bunzip2 "},
		{"xz", "\xfd7zXZ\x00" + noise, "", "an xz file, want text; unpack it first: unxz "},
		{"ZIP", "PK\x03\x04" + noise, "", "a ZIP archive"},
		{"7z", "7z\xbc\xaf\x27\x1c" + noise, "", "a 7z archive"},
		{"tar", strings.Repeat("a", 257) + "ustar\x00" + noise, "", "a tar archive, want text; unpack it first: tar xf "},
		{"tar.gz", gzipped(strings.Repeat("a", 257) + "ustar\x0000" + noise), "", "a tar archive"},
		{"gzip twice", gzipped(gzipped("abc")), "", "gzip within a compressed file"},
		{"gzip cut", gzipped("abc and more")[:20], "", "the gzip file is cut short"},
		{"gzip header cut", gzipped("abc")[:5], "", "the gzip file is cut short"},
		{"gzip checksum", strings.Replace(gzipped("abc"), gzipped("abc")[len(gzipped("abc"))-8:], "01234567", 1), "", "the gzip file is damaged"},
		{"gzip with a tail", gzipped("abc") + "tail of other bytes", "", "the gzip file is damaged"},
		{"Zstandard cut", zstandard(strings.Repeat("abc and more ", 9))[:18], "", "the Zstandard file is cut short"},
		{"Arrow", "ARROW1\x00\x00" + noise, "", "pyarrow"},
		{"Arrow stream", "\xff\xff\xff\xff\x10\x00" + noise, "", "a.ipc.open_stream(a.memory_map('"},
		{"Feather", "FEA1" + noise, "", "pandas.read_feather('"},
		{"Parquet", "PAR1" + noise, "", "a Parquet file"},
		{"NumPy", "\x93NUMPY\x01\x00" + noise, "", "a NumPy array (.npy), want text; it holds token ids: give it to pretrain --data"},
		{"llm.c", "\x88\x3e\x34\x01\x01\x00\x00\x00" + noise, "", "a token file of llm.c"},
		{"PDF", "%PDF-1.7\ntext", "", "pdftotext"},
		{"ELF", "\x7fELF" + noise, "", "a program (ELF), want text"},
		{"PNG", "\x89PNG\r\n\x1a\n" + noise, "", "a PNG image"},
		{"safetensors", "\x40\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}", "", "a safetensors file"},
		{"Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "", "a Git LFS pointer"},
		{"SQLite", "SQLite format 3\x00" + noise, "", "an SQLite database"},
		{"ids of 2 bytes", wideText("\x01\x02\x05\x20\x30\x07", le), "", "a NUL byte"},
		{"NUL", "text\nand \x00", "", "a.txt: line 2, byte 9 of the text: a NUL byte"},
		{"Latin-1", "one\ncaf\xe9 au lait\n", "", "line 2, byte 7 of the text: broken UTF-8 (byte 0xe9); it may be --encoding windows-1252"},
		{"UTF-8 cut", "caf\xc3", "", "broken UTF-8 (byte 0xc3)"},
		{"Shift-JIS", strings.Repeat("\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x95\xb6\x8f\xcd\x82\xc5\x82\xb7\x81\x42\n", 9), "", "it may be --encoding shift_jis"},
		{"GBK", strings.Repeat("\xd6\xd0\xce\xc4\xb5\xc4\xce\xc4\xd5\xc2\xca\xc7\xd5\xe2\xd1\xf9\xb5\xc4\xa1\xa3\n", 9), "", "it may be --encoding gb"},
		{"KOI8-R", strings.Repeat("\xfc\xd4\xcf \xd4\xc5\xcb\xd3\xd4 \xce\xc1 \xd2\xd5\xd3\xd3\xcb\xcf\xcd \xd1\xda\xd9\xcb\xc5\n", 9), "", "it may be --encoding koi8-r"},
		{"noise", "a\xff\x01\x02\x03\x04\x05\x06\x0e\x0f", "", "it looks like no text"},
		{"other encoding", "ok\n\x93\xff\n", "shift_jis", "line 2 is not in the encoding shift-jis"},
		{"half a UTF-16", "\xff\xfea\x00b", "", "utf-16le ends in the middle of a character"},
		{"half a pair", "\xff\xfe\x3d\xd8", "", "no character of text in utf-16le"},
		{"unknown encoding", "abc", "utf-9", `encoding "utf-9" is not known`},
		{"no encoding of texts", "abc", "replacement", `encoding "replacement" is not known`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Read(write(t, "a.txt", []byte(c.in)), Options{Encoding: c.encoding})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("read %.60q and error %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestBomb refuses more than 1 GiB in some MB, of either packing, without memory for them.
func TestBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("packs 2 GiB")
	}
	for _, name := range []string{"a.gz", "a.zst"} {
		path := write(t, name, nil)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		var w interface {
			Write([]byte) (int, error)
			Close() error
		}
		w, _ = gzip.NewWriterLevel(f, gzip.BestSpeed)
		if name == "a.zst" {
			w, _ = zstd.NewWriter(f)
		}
		chunk := bytes.Repeat([]byte("a"), 1<<20)
		for range 1<<10 + 9 {
			w.Write(chunk)
		}
		w.Close()
		f.Close()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = Read(path, Options{})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "more than 1073741824 bytes, the limit (--max-unpacked GIB raises it)") {
			t.Errorf("%s: error %v, want one that names the limit and its flag", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%s: allocated %d bytes, want at most 64 MiB", name, n)
		}
	}
	if b, err := Read(write(t, "a.gz", []byte(gzipped("12345"))), Options{MaxUnpacked: 5}); string(b) != "12345" {
		t.Errorf("at the limit: %q and error %v", b, err)
	}
	if _, err := Read(write(t, "a.gz", []byte(gzipped("12345"))), Options{MaxUnpacked: 4}); err == nil {
		t.Error("above the limit: no error")
	}
}
