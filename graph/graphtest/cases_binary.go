package graphtest

import (
	"math"
	"strings"

	"github.com/ceto-ml/ceto/graph"
)

// oracles gives each row without one the oracle of its name up to the first slash.
func oracles(want map[string]Oracle, rows []Case) []Case {
	for i := range rows {
		name, _, _ := strings.Cut(rows[i].Name, "/")
		if rows[i].Want == nil {
			rows[i].Want = want[name]
		}
	}
	return rows
}

// of2 applies an op to two operands.
func of2(op graph.Op) func(g *G, x []*N) *N {
	return func(g *G, x []*N) *N { return g.Apply(op, x[0], x[1]) }
}

var (
	opAdd = of2(graph.Add{})
	opSub = of2(graph.Sub{})
	opMul = of2(graph.Mul{})
	opDiv = of2(graph.Div{})
	opMax = of2(graph.Maximum{})
	opMin = of2(graph.Minimum{})
)

var binaryCases = oracles(map[string]Oracle{
	"Add":     binaryOf(func(a, b float64) float64 { return a + b }),
	"Sub":     binaryOf(func(a, b float64) float64 { return a - b }),
	"Mul":     binaryOf(func(a, b float64) float64 { return a * b }),
	"Div":     binaryOf(func(a, b float64) float64 { return a / b }),
	"Maximum": binaryOf(math.Max),
	"Minimum": binaryOf(math.Min),
	"Heaviside": binaryOf(func(a, b float64) float64 {
		if a == b {
			return 0.5
		}
		return math.Max(0, math.Copysign(1, a-b))
	}),
	"Same": binaryOf(func(a, b float64) float64 {
		if a == b {
			return 1
		}
		return 0
	}),
}, []Case{
	{Name: "Add", In: floats(S{3, 5}, S{3, 5}), Build: opAdd},
	{Name: "Add/scalar", In: floats(S{}, S{}), Build: opAdd},
	{Name: "Add/one", In: floats(S{1}, S{1, 1}), Build: opAdd},
	{Name: "Add/bias", In: floats(S{4, 3, 7}, S{7}), Build: opAdd},
	{Name: "Add/bias-left", In: floats(S{7}, S{4, 3, 7}), Build: opAdd},
	{Name: "Add/gpt-bias", In: floats(S{96, 512}, S{512}), Build: opAdd},
	{Name: "Add/bias-wide", In: floats(S{3, 20000}, S{20000}), Build: opAdd},
	{Name: "Add/bias-narrow", In: floats(S{9000, 3}, S{3}), Build: opAdd},
	{Name: "Add/column", In: floats(S{5, 6}, S{5, 1}), Build: opAdd},
	{Name: "Add/outer", In: floats(S{5, 1}, S{1, 6}), Build: opAdd},
	{Name: "Add/middle", In: floats(S{2, 3, 4}, S{2, 1, 4}), Build: opAdd},
	{Name: "Add/middle-large", In: floats(S{6, 70, 65}, S{6, 1, 65}), Build: opAdd},
	{Name: "Add/both", In: floats(S{2, 1, 4, 1}, S{3, 1, 5}), Build: opAdd},
	{Name: "Add/scalar-left", In: floats(S{}, S{3, 4}), Build: opAdd},
	{Name: "Add/scalar-right", In: floats(S{300, 77}, S{}), Build: opAdd},
	{Name: "Add/twice", In: floats(S{3, 4}), Build: func(g *G, x []*N) *N { return g.Add(x[0], x[0]) }},
	{Name: "Add/parts", In: floats(S{40000}, S{40000}), Build: opAdd},
	{Name: "Add/tiny", In: within(-1e-3, 1e-3, S{9}, S{9}), Build: opAdd},
	{Name: "Add/rank8", In: floats(S{1, 2, 1, 2, 1, 2, 1, 2}, S{2, 1, 2, 1, 2, 1, 2, 1}), Build: opAdd},
	{Name: "Sub", In: floats(S{3, 5}, S{3, 5}), Build: opSub},
	{Name: "Sub/bias", In: floats(S{4, 7}, S{7}), Build: opSub},
	{Name: "Sub/bias-left", In: floats(S{7}, S{4, 7}), Build: opSub},
	{Name: "SubMul", In: floats(S{5}), Build: func(g *G, x []*N) *N { return g.Sub(x[0], g.Mul(x[0], x[0])) }},
	{Name: "Sub/scalar", In: floats(S{}, S{4, 5}), Build: opSub},
	{Name: "Sub/column", In: floats(S{4, 7}, S{4, 1}), Build: opSub},
	{Name: "Sub/scalar-right", In: floats(S{4, 5}, S{}), Build: opSub},
	{Name: "Mul/column-right", In: floats(S{4, 7}, S{4, 1}), Build: opMul},
	{Name: "Mul", In: floats(S{3, 5}, S{3, 5}), Build: opMul},
	{Name: "Mul/bias", In: floats(S{4, 7}, S{7}), Build: opMul},
	{Name: "Mul/column", In: floats(S{4, 1}, S{4, 7}), Build: opMul},
	{Name: "Mul/square", In: floats(S{17}), Build: func(g *G, x []*N) *N { return g.Mul(x[0], x[0]) }},
	{Name: "Mul/parts", In: floats(S{33000}, S{33000}), Build: opMul},
	{Name: "Mul/scalar", In: floats(S{}, S{4, 5}), Build: opMul},
	{Name: "Mul/large", In: within(-1e4, 1e4, S{9}, S{9}), Build: opMul},
	{Name: "Div", In: join(floats(S{3, 5}), within(0.5, 2, S{3, 5})), Build: opDiv},
	{Name: "Div/negative", In: join(floats(S{3, 5}), within(-2, -0.5, S{3, 5})), Build: opDiv},
	{Name: "Div/bias", In: join(floats(S{4, 7}), within(0.5, 2, S{7})), Build: opDiv},
	{Name: "Div/column", In: join(floats(S{4, 7}), within(0.5, 2, S{4, 1})), Build: opDiv},
	{Name: "Div/scalar", In: join(floats(S{}), within(0.5, 2, S{4, 5})), Build: opDiv},
	{Name: "Div/parts", In: join(floats(S{17000}), within(0.5, 2, S{17000})), Build: opDiv},
	{Name: "Maximum", In: floats(S{3, 5}, S{3, 5}), Distinct: true, Build: opMax},
	{Name: "Maximum/bias", In: floats(S{4, 7}, S{7}), Distinct: true, Build: opMax},
	{Name: "Maximum/scalar", In: floats(S{}, S{7}), Distinct: true, Build: opMax},
	{Name: "Maximum/parts", In: floats(S{130, 130}, S{130, 1}), Distinct: true, NoGrad: "the grid is finer than a difference", Build: opMax},
	{Name: "Maximum/equal", In: join(floatsOf(S{4}, 1, 2, 3, 4), floatsOf(S{4}, 1, 3, 3, 1)), NoGrad: "kinks", Build: opMax},
	{Name: "Minimum", In: floats(S{3, 5}, S{3, 5}), Distinct: true, Build: opMin},
	{Name: "Minimum/bias-left", In: floats(S{7}, S{4, 7}), Distinct: true, Build: opMin},
	{Name: "Heaviside", In: join(floatsOf(S{4}, 1, 2, 3, 4), floatsOf(S{2, 1}, 2, 3)), Build: of2(graph.Heaviside{})},
	{Name: "Same", In: join(floatsOf(S{4}, 1, 2, 3, 4), floatsOf(S{2, 1}, 2, 3)), Build: of2(graph.Same{})},
})

func where(g *G, x []*N) *N { return g.Where(x[0], x[1], x[2]) }

var whereCases = oracles(map[string]Oracle{"Where": elementwise(func(v []float64) float64 {
	if v[0] != 0 {
		return v[1]
	}
	return v[2]
})}, []Case{
	{Name: "Where", In: join(ids(S{3, 5}, 2), floats(S{3, 5}, S{3, 5})), Build: where},
	{Name: "Where/float", In: join(floatsOf(S{6}, 0, -1, 0, 0.25), floats(S{6}, S{6})), Build: where},
	{Name: "Where/scalar", In: join(ids(S{}, 2), floats(S{}, S{})), Build: where},
	{Name: "Where/parts", In: join(ids(S{170, 101}, 3), floats(S{170, 101}, S{170, 101})), Build: where},
	{Name: "Where/mask", In: join(ids(S{4, 1}, 2), floats(S{4, 5}, S{5})), Build: where},
	{Name: "Where/constant", In: join(ids(S{3, 1, 4}, 2), floats(S{}, S{2, 4})), Build: where},
})
