package record_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ceto-ml/ceto/data/record"
)

const sms = `label,text
ham,see you at six
spam,"You won, call now"
ham,ok
spam,"you WON,  call now"
ham,where?
ham,on my way
spam,free tickets
`

// Example looks at a file, drops its duplicates, splits it and checks the split.
func Example() {
	if err := look(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 7 records, 2 classes, the largest 1.3 times the smallest
	//   "ham"                      4   57.1 %
	//   "spam"                     3   42.9 %
	// record 3 says the same as 1
	// 4 to train, 2 to test, 0 leaks
}

// openSMS writes the messages to a file and opens it; done removes it.
func openSMS() (r *record.Records, done func(), err error) {
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "sms.csv")
	if err = os.WriteFile(path, []byte(sms), 0o600); err == nil {
		r, err = record.Open(path, record.Options{})
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return r, func() { r.Close(); os.RemoveAll(dir) }, nil
}

func look() error {
	r, done, err := openSMS()
	if err != nil {
		return err
	}
	defer done()
	classes, err := r.Classes("label")
	if err != nil {
		return err
	}
	balance, err := classes.Balance(r.Rows())
	if err != nil {
		return err
	}
	fmt.Println(balance)
	near := record.Near{Text: r.Column("text")}
	twice, err := near.Within(r.Rows())
	if err != nil {
		return err
	}
	keep := record.Without(r.Rows(), twice)
	for _, p := range twice {
		fmt.Printf("record %d says the same as %d\n", p.B, p.A)
	}
	parts, err := record.Split(keep, classes, 1, 2, 1)
	if err != nil {
		return err
	}
	leaks, err := near.Leaks(parts[0], parts[1])
	fmt.Printf("%d to train, %d to test, %d leaks\n", len(parts[0]), len(parts[1]), len(leaks))
	return err
}
