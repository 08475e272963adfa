// Package results keeps the figures of programs that measure for hours. The file has a line of JSON for each run, so
// that a program can be started again and goes on.
package results

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
)

// Read returns the lines of a file, none if the file does not exist.
func Read[T any](path string) (all []T) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	Check(err)
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		var v T
		Check(json.Unmarshal(s.Bytes(), &v))
		all = append(all, v)
	}
	Check(s.Err())
	return all
}

// Append prints v and adds it to the file as a line.
func Append(path string, v any) {
	line := Must(json.Marshal(v))
	fmt.Printf("%s\n", line)
	f := Must(os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666))
	Must(f.Write(append(line, '\n')))
	Check(f.Close())
}

// Must returns v. An error ends the program.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check ends the program if err is an error.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
