package gguf

import (
	"fmt"
	"strings"
)

// Type is the type of a tensor's values. Its value is the type's number in the file.
type Type uint32

// The types that are read and written. Types of integers and F64 are not decoded.
const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2
	Q4_1 Type = 3
	Q5_0 Type = 6
	Q5_1 Type = 7
	Q8_0 Type = 8
	Q4_K Type = 12
	Q5_K Type = 13
	Q6_K Type = 14
	I8   Type = 24
	I16  Type = 25
	I32  Type = 26
	I64  Type = 27
	F64  Type = 28
	BF16 Type = 30
)

// layout is how a type lies in memory: a block has values values in bytes bytes. bytes is 0 where only the name is
// known. decode sets dst to the values of src, which has whole blocks; it is nil where the type is not decoded.
type layout struct {
	name          string
	values, bytes int
	decode        func(dst []float32, src []byte)
}

// layouts lists the types by number. Source of numbers and names: github.com/ggml-org/ggml, ggml.h.
var layouts = [...]layout{
	F32:  {"F32", 1, 4, decodeF32},
	F16:  {"F16", 1, 2, decodeF16},
	Q4_0: {"Q4_0", 32, 18, decodeQ4_0},
	Q4_1: {"Q4_1", 32, 20, decodeQ4_1},
	Q5_0: {"Q5_0", 32, 22, decodeQ5_0},
	Q5_1: {"Q5_1", 32, 24, decodeQ5_1},
	Q8_0: {"Q8_0", 32, 34, decodeQ8_0},
	9:    {name: "Q8_1"},
	10:   {name: "Q2_K"},
	11:   {name: "Q3_K"},
	Q4_K: {"Q4_K", 256, 144, decodeQ4_K},
	Q5_K: {"Q5_K", 256, 176, decodeQ5_K},
	Q6_K: {"Q6_K", 256, 210, decodeQ6_K},
	15:   {name: "Q8_K"},
	16:   {name: "IQ2_XXS"},
	17:   {name: "IQ2_XS"},
	18:   {name: "IQ3_XXS"},
	19:   {name: "IQ1_S"},
	20:   {name: "IQ4_NL"},
	21:   {name: "IQ3_S"},
	22:   {name: "IQ2_S"},
	23:   {name: "IQ4_XS"},
	I8:   {"I8", 1, 1, nil},
	I16:  {"I16", 1, 2, nil},
	I32:  {"I32", 1, 4, nil},
	I64:  {"I64", 1, 8, nil},
	F64:  {"F64", 1, 8, nil},
	29:   {name: "IQ1_M"},
	BF16: {"BF16", 1, 2, decodeBF16},
	34:   {name: "TQ1_0"},
	35:   {name: "TQ2_0"},
	39:   {name: "MXFP4"},
	40:   {name: "NVFP4"},
	41:   {name: "Q1_0"},
}

func (t Type) layout() layout {
	if int64(t) >= int64(len(layouts)) {
		return layout{}
	}
	return layouts[t]
}

// String returns the type's name, such as Q4_1, or its number where it has none.
func (t Type) String() string {
	if name := t.layout().name; name != "" {
		return name
	}
	return fmt.Sprint(uint32(t))
}

// number returns the type's number and, where it has one, its name.
func (t Type) number() string {
	if name := t.layout().name; name != "" {
		return fmt.Sprintf("%d (%s)", uint32(t), name)
	}
	return fmt.Sprint(uint32(t))
}

// known returns the names of the types that are read.
func known() string {
	var names []string
	for _, l := range layouts {
		if l.bytes > 0 {
			names = append(names, l.name)
		}
	}
	return strings.Join(names, " ")
}
