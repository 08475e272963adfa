package driver

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// A Setting plants faults and asks for records. Its text form has words with commas between:
//
//	fail:alloc:N   the N-th allocation of device memory, from 1, has no memory
//	fail:launch:N  the N-th launch of a kernel or of a product fails
//	lost:N         from the N-th call on the device is gone
//	refuse:WHAT    cublaslt: the library is not there; bias, bgrad, gelu_aux or dgelu: no such epilogue; more of them
//	               may follow, with commas
//	order:SEED     the order in which streams are served, among those that events permit
//	trace:FILE     a line for each call
//	report         counts at the end
type Setting struct {
	FailAlloc, FailLaunch, Lost int // 0: never
	Refuse                      []string
	Order                       uint64
	Trace                       string // "" for none
	Report                      bool
}

// Refusals are what refuse may name.
var Refusals = []string{"cublaslt", "bias", "bgrad", "gelu_aux", "dgelu"}

// ParseSetting reads the text form; the empty text is the zero value. A word that is not known is an error.
func ParseSetting(text string) (s Setting, err error) {
	refuses := false
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(word, ":")
		if refuses && slices.Contains(Refusals, word) {
			key, value = "refuse", word
		}
		refuses = key == "refuse"
		read, ok := settingWords[key]
		if !ok || read(&s, value) != nil {
			return s, errors.Errorf("emu: %q: want fail:alloc:N, fail:launch:N, lost:N, refuse:WHAT, order:SEED, trace:FILE or report", word)
		}
	}
	return s, nil
}

var errWord = errors.New("not such a word")

var settingWords = map[string]func(s *Setting, value string) error{
	"fail": func(s *Setting, v string) error {
		what, number, _ := strings.Cut(v, ":")
		n, err := count(number)
		switch what {
		case "alloc":
			s.FailAlloc = n
		case "launch":
			s.FailLaunch = n
		default:
			return errWord
		}
		return err
	},
	"lost": func(s *Setting, v string) (err error) {
		s.Lost, err = count(v)
		return err
	},
	"refuse": func(s *Setting, v string) error {
		if !slices.Contains(Refusals, v) {
			return errWord
		}
		s.Refuse = append(s.Refuse, v)
		return nil
	},
	"order": func(s *Setting, v string) (err error) {
		s.Order, err = strconv.ParseUint(v, 10, 64)
		return err
	},
	"trace": func(s *Setting, v string) error {
		if s.Trace = v; v == "" {
			return errWord
		}
		return nil
	},
	"report": func(s *Setting, v string) error {
		if s.Report = true; v != "" {
			return errWord
		}
		return nil
	},
}

// count reads a number from 1 on.
func count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && n < 1 {
		err = errWord
	}
	return n, err
}

// refuses tells whether the setting refuses a thing.
func (s Setting) refuses(what string) bool { return slices.Contains(s.Refuse, what) }
