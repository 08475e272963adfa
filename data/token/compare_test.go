package token

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
)

// TestCompare is the Go side of testdata/compare.py, which says in CETO_COMPARE what to encode.
func TestCompare(t *testing.T) {
	path := os.Getenv("CETO_COMPARE")
	if path == "" {
		t.Skip("CETO_COMPARE is not set: testdata/compare.py sets it")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var jobs []struct {
		Tokenizer, Text, IDs string
		Write                string // the folder for Save; "" for none
		AsText               bool   `json:"as_text"`
	}
	if err := json.Unmarshal(data, &jobs); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		tok, err := Open(j.Tokenizer)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(j.Text)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Add: true}
		if j.AsText {
			o.Policy = AsText
		}
		ids, err := tok.(Subword).EncodeWith(text, o)
		if err != nil {
			t.Fatal(err)
		}
		if j.AsText && !bytes.Equal(tok.Decode(ids), text) {
			t.Errorf("%s, %s: the decoded text differs", j.Tokenizer, j.Text)
		}
		raw, _ := binary.Append(nil, binary.LittleEndian, ids)
		if err := os.WriteFile(j.IDs, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if j.Write == "" {
			continue
		}
		if err := os.Mkdir(j.Write, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Save(j.Write, tok); err != nil {
			t.Fatal(err)
		}
	}
}
