package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
)

// dataExamples is how many places are shown for each kind of finding.
const dataExamples = 3

// report writes what was found in plain words, with the first places.
func (k *dataCheck) report(w io.Writer) error {
	f, b := k.found, &strings.Builder{}
	fmt.Fprintf(b, "%s: %d rows, columns %s\n", k.path, f.Rows, columnNames(k.r))
	if k.chats != nil {
		fmt.Fprintf(b, "chats of %s, up to the last answer: %s characters", k.Text, f.Characters)
	} else {
		fmt.Fprintf(b, "text %q: %s characters", k.Text, f.Characters)
	}
	if f.Tokens != nil {
		fmt.Fprintf(b, "; %s tokens", *f.Tokens)
	}
	if b.WriteByte('\n'); f.Labels != nil {
		fmt.Fprintf(b, "label %q: %v\n", k.Label, f.Balance)
	}
	b.WriteByte('\n')
	if k.left.Count > 0 {
		finding(b, k.left.Count, "records that cannot be used, and are left out here", "finetune leaves them out, too")
		for _, line := range k.left.First {
			fmt.Fprintf(b, "         %s\n", k.short(line))
		}
	}
	finding(b, len(f.Places.Empty), "empty texts", "they teach nothing: leave them out")
	for _, i := range f.Places.Empty[:min(dataExamples, len(f.Places.Empty))] {
		fmt.Fprintf(b, "         %s\n", k.place(k.r, i))
	}
	finding(b, f.Duplicates, "duplicates: texts that an earlier row has, but for case and white space", "keep one of each")
	k.pairs(b, f.Places.Duplicates, k.r)
	if k.Similarity < 1 {
		finding(b, f.Near, fmt.Sprintf("near duplicates: texts at least %g like an earlier one", k.Similarity), "look whether they say the same")
		k.pairs(b, f.Places.Near, k.r)
	}
	if k.chats != nil {
		finding(b, f.Conflicts, "conflicts: duplicates with another answer", "keep the better one")
		k.pairs(b, f.Places.Conflicts, k.r)
	} else if f.Labels != nil {
		finding(b, f.Conflicts, "conflicts: duplicates with another label", "one of the two labels is wrong")
		k.pairs(b, f.Places.Conflicts, k.r)
	}
	where, advice := fmt.Sprintf("the %d rows of %s", f.HeldOut, k.Against), "scores on them say nothing of new texts"
	if k.Against == "" {
		where = fmt.Sprintf("the %d rows that --val %g --seed %d holds out", f.HeldOut, k.Val, k.Seed)
		advice = "remove duplicates before the split"
	}
	finding(b, f.Leaks, fmt.Sprintf("leaks: of %s, texts that training has too", where), advice)
	k.pairs(b, f.Places.Leaks, k.held)
	k.classWarnings(b)
	_, err := io.WriteString(w, b.String())
	return err
}

// finding writes a count and what it counts. Where the count is above 0, it adds advice.
func finding(b *strings.Builder, n int, what, advice string) {
	fmt.Fprintf(b, "%6d %s", n, what)
	if n > 0 {
		fmt.Fprintf(b, "; %s", advice)
	}
	b.WriteByte('\n')
}

// pairs writes the first pairs with places and texts. Row A of a pair is in --data, row B in the
// records that the last parameter names.
func (k *dataCheck) pairs(b *strings.Builder, pairs []record.Pair, of *record.Records) {
	const long = 60
	labels := k.found.Labels
	for _, p := range pairs[:min(dataExamples, len(pairs))] {
		text, err := k.textsOf(of)(p.B)
		if err != nil {
			text = err.Error()
		}
		fmt.Fprintf(b, "         %s like %s", k.place(of, p.B), k.place(k.r, p.A))
		if p.Similarity < 1 {
			fmt.Fprintf(b, " (%.2f)", p.Similarity)
		}
		if labels != nil && of == k.r && labels.Of[p.A] != labels.Of[p.B] {
			fmt.Fprintf(b, ", %q and %q", labels.Names[labels.Of[p.B]], labels.Names[labels.Of[p.A]])
		}
		fmt.Fprintf(b, ": %s\n", strconv.Quote(cut(text, long)))
	}
}

// place is where row i of r is: the line alone where it is in the file that --data names.
func (k *dataCheck) place(r *record.Records, i int) string { return k.short(r.Where(i)) }

// short names a place by the line alone where it is in the file that --data names.
func (k *dataCheck) short(where string) string {
	if line, ok := strings.CutPrefix(where, k.path+":"); ok {
		return "line " + line
	}
	return where
}

// classWarnings writes which labels cannot be learned or judged.
func (k *dataCheck) classWarnings(b *strings.Builder) {
	f := k.found
	if f.Labels == nil {
		return
	}
	if f.Alike != "" {
		fmt.Fprintf(b, "       %s\n", f.Alike)
	}
	if len(f.Labels.Names) == 1 {
		fmt.Fprintf(b, "       only one label, %q: there is nothing to tell apart\n", f.Labels.Names[0])
	}
	if f.Classes[""] > 0 {
		fmt.Fprintf(b, "%6d rows without a label; they count as a label of their own\n", f.Classes[""])
	}
	finding(b, len(f.Small), fmt.Sprintf("labels too small for both parts of a split of %g and %g", 1-k.Val, k.Val), "add examples, or leave them out"+listed(f.Small))
	if k.Against != "" {
		finding(b, len(f.Unseen), "labels of "+k.Against+" that the data never has", "no model learns them"+listed(f.Unseen))
	}
}

// listed returns a colon and the first few names.
func listed(names []string) string {
	const most = 5
	var l []string
	for _, n := range names[:min(most, len(names))] {
		l = append(l, strconv.Quote(cut(n, 40)))
	}
	if len(names) > most {
		l = append(l, "…")
	}
	return ": " + strings.Join(l, ", ")
}
