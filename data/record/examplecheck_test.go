package record_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/data/record"
)

// ExampleCheck does what ceto data check does.
func ExampleCheck() {
	if err := check(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 7 texts of 2 to 18 (median 12, 95 % up to 18) characters
	// map[ham:4 spam:3]
	// 1 duplicates, 0 conflicts, 0 leaks into 1 rows
	// row 3 repeats row 1
}

func check() error {
	r, done, err := openSMS()
	if err != nil {
		return err
	}
	defer done()
	f, err := record.Check{Text: "text", Label: "label", Seed: 1}.Find(r)
	if err != nil {
		return err
	}
	fmt.Printf("%d texts of %v characters\n%v\n", f.Rows, f.Characters, f.Classes)
	fmt.Printf("%d duplicates, %d conflicts, %d leaks into %d rows\n", f.Duplicates, f.Conflicts, f.Leaks, f.HeldOut)
	for _, p := range f.Places.Duplicates {
		fmt.Printf("row %d repeats row %d\n", p.B, p.A)
	}
	return nil
}
