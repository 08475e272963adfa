package generate

import "bytes"

// stopper passes on a stream of bytes until one of its texts is there, and cuts the stream before it. It holds back
// only what may be the start of a text. The text that ends first counts; of several with the same end, the longest.
type stopper struct {
	texts   []string // none of them empty
	buf     []byte   // what was passed on last, then what is held back
	sent    int      // how much of buf was passed on
	stopped bool
}

func newStopper(texts []string) *stopper { return &stopper{texts: texts} }

// write takes the next bytes. It returns those that surely come before any text, good until the next call, and whether
// a text has come. After that it returns nothing more.
func (s *stopper) write(b []byte) (emit []byte, stopped bool) {
	if s.stopped {
		return nil, true
	}
	s.buf = append(append(s.buf[:0], s.buf[s.sent:]...), b...)
	s.sent, s.stopped = s.find()
	return s.buf[:s.sent], s.stopped
}

// flush returns what is held back, at the end of the stream.
func (s *stopper) flush() []byte {
	if s.stopped {
		return nil
	}
	held := s.buf[s.sent:]
	s.sent = len(s.buf)
	return held
}

// find returns where the text begins that ends first. Without one it returns where the longest beginning of a text
// begins that reaches the end of buf.
func (s *stopper) find() (at int, found bool) {
	at, end := len(s.buf), len(s.buf)+1
	for _, t := range s.texts {
		i := bytes.Index(s.buf, []byte(t))
		if e := i + len(t); i >= 0 && (e < end || e == end && i < at) {
			at, end, found = i, e, true
		}
	}
	if found {
		return at, true
	}
	for _, t := range s.texts {
		for n := min(len(t)-1, len(s.buf)); n > len(s.buf)-at; n-- {
			if bytes.HasSuffix(s.buf, []byte(t[:n])) {
				at = len(s.buf) - n
			}
		}
	}
	return at, false
}
