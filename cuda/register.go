package cuda

import (
	"reflect"
	"slices"
	"sync"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// A Value is an operand or a result of an op, as a kernel gets it: an address in the device's memory. Elements lie
// row-major and contiguous. A result that nothing reads is Empty, and its kernel gets address 0.
type Value struct {
	graph.Meta
	Empty bool
	v     value
}

// Launch is one run of a kernel on a grid of blocks.
//
// The first parameter of every kernel is a pointer to a 32-bit word, or 0. Where the word is there and is not 0 the
// kernel must write nothing: a loss or a norm was not finite. Args are the parameters behind it. They
// are numbers (int, uint32, int64, uint64, float32), a [Value], which becomes its address, or a []int32, which becomes
// the address of these constants.
type Launch struct {
	Kernel      string
	Grid, Block [3]int // x, y, z; a block has at most 1,024 threads, and y and z of a grid are at most 65,535
	Shared      int    // bytes of dynamic shared memory, at most 48 KiB
	Args        []any
}

// registered are the PTX texts of programs.
var registered struct {
	sync.Mutex
	texts []string
}

// Register gives the executor a kernel for ops of type O. ptx is the text that nvcc -ptx -arch=compute_80 makes of it.
// launches returns the launches that compute the results of an op from its operands, which are float32 or int32. It is
// called with every plan. An executor that is open already does not know the kernel. A kernel of another package's op
// cannot be replaced, and O cannot be registered twice: both are errors.
func Register[O graph.Op](ptx string, launches func(op O, out, in []Value) ([]Launch, error)) error {
	registered.Lock()
	defer registered.Unlock()
	t := reflect.TypeFor[O]()
	if _, ok := lowerings[t]; ok {
		return errors.Errorf("cuda: Register: %v has a kernel already", t)
	}
	if !slices.Contains(registered.texts, ptx) {
		registered.texts = append(registered.texts, ptx)
	}
	lowered(func(b *builder, op O) error {
		list, err := launches(op, publicValues(b.out), publicValues(b.in))
		if err != nil {
			return err
		}
		for _, l := range list {
			b.launchShared(l.Kernel, dim{l.Grid[0], l.Grid[1], l.Grid[2]}, dim{l.Block[0], l.Block[1], l.Block[2]}, l.Shared, privateArgs(l.Args)...)
		}
		return nil
	})
	return nil
}

func publicValues(values []value) []Value {
	list := make([]Value, len(values))
	for i, v := range values {
		list[i] = Value{v.Meta, v.empty(), v}
	}
	return list
}

func privateArgs(args []any) []any {
	list := make([]any, len(args))
	for i, a := range args {
		if list[i] = a; reflect.TypeOf(a) == reflect.TypeFor[Value]() {
			list[i] = a.(Value).v
		}
	}
	return list
}
