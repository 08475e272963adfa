package field_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/data"
	"github.com/ceto-ml/ceto/data/field"
)

// Example reads ids and targets of a batch by their names.
func Example() {
	ids := data.Array{Shape: []int{2, 3}, Int: []int32{1, 2, 3, 4, 5, 6}}
	classes := data.Array{Shape: []int{2}, Int: []int32{0, 1}}
	src := data.Examples(data.Batch{field.IDs: ids, field.Y: classes}).Eval()
	for _, f := range src.Fields() {
		fmt.Println(f.Name, f.Shape)
	}
	// Output:
	// ids [3]
	// y []
}
