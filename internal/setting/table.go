package setting

import (
	"fmt"
	"io"
	"strings"
)

// Table writes the settings of a struct as a table in Markdown. The last column is the default of the tags or, where v
// has a value that is not zero, that value.
func Table(w io.Writer, v any) error {
	fmt.Fprintf(w, "| setting | flag | what it is | may be | default |\n|---|---|---|---|---|\n")
	for _, s := range Of(v) {
		flag, wish, fallback := "", "", s.words()
		if s.Flag != "" {
			flag = "`--" + s.Flag + "`"
		}
		if s.Range != "" || len(s.OneOf) > 0 {
			wish = s.wish()
		}
		if field := s.of(v); !field.IsZero() {
			fallback = fmt.Sprint(field)
		}
		key := ""
		if s.Key != "" {
			key = "`" + s.Key + "`"
		}
		row := strings.Join([]string{key, flag, cell(s.Usage), cell(wish), cell(fallback)}, " | ")
		if _, err := fmt.Fprintf(w, "| %s |\n", row); err != nil {
			return err
		}
	}
	return nil
}

// cell is a text that does not end the cell that it stands in.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
