package record

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestJSON has the shapes in which people write records as JSON.
func TestJSON(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		columns          string
		want             []string // "a|b" a record
	}{
		{"over several lines", "a.jsonl", "{\n \"a\": 1,\n \"b\": \"x\"\n}\n\n{\n \"a\": 2\n}\n", "a,b", []string{"1|x", "2|"}},
		{"an array over several lines in .jsonl", "a.jsonl", "\n[\n {\"a\": 1},\n {\n\"a\": 2}\n]\n", "a", []string{"1", "2"}},
		{"several on a line", "a.jsonl", `{"a":1} {"a":2}{"a":3}`, "a", []string{"1", "2", "3"}},
		{"lines in .json", "a.json", "\ufeff{\"a\":1}\r\n\r\n \r\n{\"a\":2}", "a", []string{"1", "2"}},
		{"lines of old Macs", "a.jsonl", "{\"a\":1}\r{\"a\":2}\r", "a", []string{"1", "2"}},
		{"data", "a.json", `{"data": [{"a": 1}, {"a": 2}]}`, "a", []string{"1", "2"}},
		{"data in .jsonl", "a.jsonl", "\ufeff{\n\"data\": [\n{\"a\": 1},\n{\"a\": 2}\n]\n}\n", "a", []string{"1", "2"}},
		{"other names, and more beside the list", "a.json", `{"version":"1.1","n":[1,2],"of":{"k":[{"x":1}]},"rows":[{"a":[{"b":1}],"c":2}],"z":[]}`, "a,c", []string{"!|2"}},
		{"packed", "a.json.gz", pack(`{"train":[{"a":1}]}`), "a", []string{"1"}},
		{"a list named in a text", "a.json", `{"k":":[{","data":[{"a":1}]}`, "a", []string{"1"}},
		{"two lists", "a.json", `{"train":[{"a":1}],"test":[{"a":2}]}`, "train,test", []string{"!|!"}},
		{"a list of texts", "a.json", `{"data":["a","b"]}`, "data", []string{"!"}},
		{"an empty list", "a.json", `{"data":[]}`, "data", []string{"!"}},
		{"one chat", "a.jsonl", `{"id":1,"messages":[{"role":"user","content":"x"}]}`, "id,messages", []string{"1|!"}},
		{"one chat of another name", "a.jsonl", `{"turns":[{"from":"human","value":"x"}]}`, "turns", []string{"!"}},
		{"one text with spans", "a.jsonl", `{"sentence":"x","spans":[{"start":0,"end":1,"label":"A"}]}`, "sentence,spans", []string{"x|!"}},
		{"one text with a list", "a.jsonl", `{"text":"x","notes":[{"by":"me"}]}`, "text,notes", []string{"x|!"}},
		{"one record and another", "a.jsonl", `{"notes":[{"by":"me"}]} {"notes":[]}`, "notes", []string{"!", "!"}},
		{"NaN and infinities", "a.json", `[{"a":NaN,"b":Infinity,"c":"NaN","d":-Infinity},{"a":[NaN,-Infinity,{"x":NaN}],"b":1e999}]`, "a,b,c,d",
			[]string{"|Infinity|NaN|-Infinity", "!|1e999||"}},
		{"a number beyond float64", "a.json", `[{"a":123456789012345678901234567890,"b":-1E+400}]`, "a,b", []string{"123456789012345678901234567890|-1E+400"}},
		{"columns in columns", "a.json", `[{"a":1,"meta":{"k":[1,{"a":2}]}},{"a":3,"meta":null}]`, "a,meta", []string{"1|!", "3|"}},
		{"a key twice", "a.json", `[{"a":1,"a":2,"b":0}]`, "a,b", []string{"2|0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(filepath.Join(write(t, c.file, c.text), c.file), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got := strings.Join(r.Columns(), ","); got != c.columns {
				t.Errorf("columns %q, want %q", got, c.columns)
			}
			var got []string
			for i := range r.Len() {
				var row []string
				for _, c := range r.Columns() {
					v, err := r.Text(i, c)
					if err != nil && strings.Contains(err.Error(), "an object or array, want text") {
						v = "!"
					} else if err != nil {
						v = err.Error()
					}
					row = append(row, v)
				}
				got = append(got, strings.Join(row, "|"))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("records %q, want %q", got, c.want)
			}
		})
	}
}

// TestRawNaN: what Raw returns can be parsed by encoding/json.
func TestRawNaN(t *testing.T) {
	r, err := Open(filepath.Join(write(t, "a.jsonl", `{"a":[{"x":"NaN \" NaN","y":NaN},-Infinity],"b":NaN} {}`), "a.jsonl"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for column, want := range map[string]string{"a": `[{"x":"NaN \" NaN","y":null},null]`, "b": "null"} {
		if got, err := r.Raw(0, column); err != nil || string(got) != want {
			t.Errorf("column %q is %s, %v; want %s", column, got, err, want)
		}
	}
}

// TestWhere tells lines, and the number of a record where its line has others.
func TestWhere(t *testing.T) {
	for _, c := range []struct {
		file, text string
		want       []string
	}{
		{"a.json", `[{"a":1},{"a":2},{"a":3}]`, []string{"a.json:1 (record 1)", "a.json:1 (record 2)", "a.json:1 (record 3)"}},
		{"a.json", "[{\"a\":1},\n{\"a\":2}, {\"a\":3}]", []string{"a.json:1", "a.json:2 (record 2)", "a.json:2 (record 3)"}},
		{"a.jsonl", "{\"a\":1}\r{\n\"a\":2}\r\n{\"a\":3}", []string{"a.jsonl:1", "a.jsonl:2", "a.jsonl:4"}},
		{"a.csv", "a\r\"1\r2\"\r3\n", []string{"a.csv:2", "a.csv:4"}},
	} {
		r, err := Open(filepath.Join(write(t, c.file, c.text), c.file), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for i, want := range c.want {
			if got := filepath.Base(r.Where(i)); got != want {
				t.Errorf("record %d of %q is at %s, want %s", i, c.text, got, want)
			}
		}
	}
}

// FuzzJSON compares with encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":"b\n","c":[1,{"d":"}"}]}`, "[ {\"a\":1} , {\"a\":null}]\n", `{"n":0,"data":[{"a":1},{"a":NaN}]}`, "{\n}{\"a\":-Infinity}", `[]`, "{\"\\u0061\":1,\"a\":2}\n \n{\"b\":{}}", `[{"a":"\\"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text, JSON)
		nan := bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Infinity"))
		if clean(text) != nil || bytes.HasPrefix(text, []byte("\ufeff")) || nan || r.files[0].within {
			return // our own rules
		}
		want, wantErr := objects(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json's %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if r.Len() != len(want) {
			t.Fatalf("%q: %d records, want %d", text, r.Len(), len(want))
		}
		for i, object := range want {
			for key, value := range object {
				if raw, err := r.Raw(i, key); err != nil || string(raw) != string(value) {
					t.Errorf("%q: key %q of record %d is %q, %v, want %q", text, key, i, raw, err, value)
				}
				var s string
				if json.Unmarshal(value, &s) == nil {
					if got, err := r.Text(i, key); err != nil || got != s {
						t.Errorf("%q: key %q of record %d is %q, %v, want %q", text, key, i, got, err, s)
					}
				}
			}
		}
	})
}

// objects reads an array of objects, or objects one after the other.
func objects(text []byte) (all []map[string]json.RawMessage, err error) {
	var raw []json.RawMessage
	if b := bytes.TrimLeft(text, " \t\r\n"); len(b) > 0 && b[0] == '[' {
		if err := json.Unmarshal(text, &raw); err != nil {
			return nil, err
		}
	} else {
		for d := json.NewDecoder(bytes.NewReader(text)); ; {
			var v json.RawMessage
			if err := d.Decode(&v); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			raw = append(raw, v)
		}
	}
	for _, v := range raw {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(v, &object); err != nil {
			return nil, err
		}
		if object == nil { // null
			return nil, &json.SyntaxError{}
		}
		all = append(all, object)
	}
	return all, nil
}
