package data

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strconv"

	"github.com/pkg/errors"
)

// npyMagic begins an array of NumPy. Two bytes of version follow, the length of a header, and the header.
// Source: numpy.lib.format, "Format Version 1.0" and "2.0".
const npyMagic = "\x93NUMPY"

var npyField = regexp.MustCompile(`'(descr|fortran_order|shape)':\s*('[^']*'|\w+|\([^)]*\))`)

// npy reads the header of an array with one axis, of uint16, uint32 or int32. It returns the bytes behind the header
// and how many an id has.
func npy(b []byte) (body []byte, width int, err error) {
	short := errors.New("the header of a NumPy array is cut short")
	if len(b) < 12 {
		return nil, 0, short
	}
	from, n := 10, int(binary.LittleEndian.Uint16(b[8:]))
	if b[6] > 1 {
		from, n = 12, int(binary.LittleEndian.Uint32(b[8:]))
	}
	if n > len(b)-from {
		return nil, 0, short
	}
	field := map[string]string{}
	for _, m := range npyField.FindAllSubmatch(b[from:from+n], -1) {
		field[string(m[1])] = string(m[2])
	}
	body = b[from+n:]
	switch field["descr"] {
	case "'<u2'":
		width = 2
	case "'<u4'", "'<i4'":
		width = 4
	default:
		return nil, 0, errors.Errorf("a NumPy array of %.20s; want ids of '<u2', '<u4' or '<i4': ids.astype('uint32')", field["descr"])
	}
	shape := bytes.Trim([]byte(field["shape"]), "(), ")
	count, err := strconv.Atoi(string(shape))
	if err != nil {
		return nil, 0, errors.Errorf("a NumPy array of shape %.40s; want one axis: ids.ravel()", field["shape"])
	}
	if count < 0 || len(body) != count*width {
		return nil, 0, errors.Errorf("a NumPy array of %d ids but %d bytes, %d each", count, len(body), width)
	}
	return body, width, nil
}
