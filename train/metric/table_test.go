package metric

import (
	"fmt"
	"strings"
	"testing"
)

func ExampleConfusion() {
	c, err := NewConfusion(2, []int{0, 0, 0, 1, 1}, []int{0, 0, 1, 1, 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Names = []string{"ham", "spam"}
	fmt.Println(c)
	fmt.Printf("F1 of spam %.3f, accuracy %.1f", c.F1(1), c.Accuracy())
	// Output:
	// target \ predicted  ham  spam
	// ham                   2     1
	// spam                  0     2
	//
	// class     precision  recall     f1  rows
	// ham           1.000   0.667  0.800     3
	// spam          0.667   1.000  0.800     2
	// micro         0.800   0.800  0.800     5
	// macro         0.833   0.833  0.800     5
	// weighted      0.867   0.800  0.800     5
	//
	// F1 of spam 0.800, accuracy 0.8
}

func TestTable(t *testing.T) {
	many := &Confusion{Classes: 20}
	for _, c := range [][2]int{{3, 4}, {3, 4}, {19, 0}, {2, 2}, {19, -1}, {5, 1}} {
		if err := many.Add(c[0], c[1]); err != nil {
			t.Fatal(err)
		}
	}
	wide := &Confusion{Classes: 2, Names: []string{"垃圾", ""}}
	if err := wide.Add(0, -100); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		c    *Confusion
		want []string
	}{
		{"no class", wide, []string{
			"target \\ predicted  垃圾  1  none\n垃圾                   0  0     1\n1                      0  0     0\n",
			"\n垃圾          0.000   0.000  0.000     1\n1             0.000", "macro         0.000",
		}},
		{"many", many, []string{"class     precision", "\ntarget  predicted  rows\n3               4     2\n5               1     1\n19           none     1\n19              0     1\n"}},
		{"none counted", &Confusion{Classes: 1}, []string{"0                   0\n", "macro           NaN"}},
		{"no classes", &Confusion{}, []string{"micro           NaN"}},
	} {
		got := c.c.String()
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s:\n%s\nwant within it\n%s", c.name, got, want)
			}
		}
		if strings.Contains(got, "predicted") && c.c.Classes > maxMatrix && strings.Contains(got, `\`) {
			t.Errorf("%s: a matrix of %d classes", c.name, c.c.Classes)
		}
	}
}
