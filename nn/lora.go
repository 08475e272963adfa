package nn

import (
	"math"
	"path"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/graph"
	"github.com/pkg/errors"
)

// LoRA adds a product of two small matrices to every [Linear] whose path matches Targets:
//
//	y = x·W + b + (Alpha/Rank)·dropout(x)·Aᵀ·Bᵀ
//
// Parameters, beside the layer's own: lora_A.weight (Rank, in), drawn as PyTorch draws a Linear's weight, and
// lora_B.weight (Out, Rank), zeros. So at first the model gives what it gave without them. The names are PEFT's.
// See [Params.Adapt]. Source: Hu et al. 2021, arXiv:2106.09685, section 4.1.
type LoRA struct {
	Targets []string // patterns of path.Match for a layer's whole path: "*.q_proj", "h.*.attn.c_attn", "*"; or NoLayer
	Rank    int
	Alpha   float64  // 0 means Rank
	Dropout float64  // the share of x that is dropped, in mode Train
	Also    []string // patterns of parameters that are trained as well, such as a new head's: PEFT's modules_to_save
	RSLoRA  bool     // the factor is Alpha/√Rank: Kalajdzievski, arXiv:2312.03732
}

// The names of LoRA's two parameters, behind the path of the layer.
const (
	LoRAA = "lora_A.weight"
	LoRAB = "lora_B.weight"
)

// NoLayer is the target of a LoRA that adds to no layer, so that Also alone is trained.
const NoLayer = "-"

// CheckTargets returns an error for a target of LoRA that has matched no layer of the graphs built so far.
func (p *Params) CheckTargets() error {
	if p.lora == nil {
		return nil
	}
	for _, t := range p.lora.Targets {
		if t != NoLayer && !slices.ContainsFunc(p.list, func(q *Param) bool {
			layer, ok := strings.CutSuffix(q.Name, "."+LoRAA)
			return ok && Match(layer, t)
		}) {
			return errors.Errorf("nn: LoRA: the target %q matches no layer of the model", t)
		}
	}
	return nil
}

// Scale is the factor of the product of the two matrices: Alpha/Rank, or Alpha/√Rank with RSLoRA.
func (l LoRA) Scale() float64 {
	alpha, rank := l.Alpha, float64(l.Rank)
	if alpha == 0 {
		alpha = rank
	}
	if l.RSLoRA {
		return alpha / math.Sqrt(rank)
	}
	return alpha / rank
}

// Adapt puts l into every graph that is built with the register from now on. It freezes all parameters but those of l
// and those that match l.Also. It is an error after the first declaration, and without targets. A Rank below 1, a
// Dropout outside [0, 1), an Alpha that is not finite and a malformed pattern are errors too.
func (p *Params) Adapt(l LoRA) error {
	if len(p.byName) > 0 {
		return errors.New("nn: Adapt: called after the first declaration of a parameter; want it before the model is built")
	}
	if l.Rank < 1 || !(l.Dropout >= 0 && l.Dropout < 1) || math.IsNaN(l.Alpha) || math.IsInf(l.Alpha, 0) || len(l.Targets) == 0 {
		return errors.Errorf("nn: Adapt: %+v: want targets, a rank of at least 1, a finite alpha, a dropout in [0, 1)", l)
	}
	for _, t := range append(slices.Clone(l.Targets), l.Also...) {
		if _, err := path.Match(t, ""); err != nil {
			return errors.Wrapf(err, "nn: Adapt: pattern %q", t)
		}
	}
	p.lora = &l
	if err := p.Freeze("*"); err != nil {
		return err
	}
	return p.Unfreeze(append([]string{"*." + LoRAA, "*." + LoRAB}, l.Also...)...)
}

// kaimingUniform is U(−1/√in, 1/√in) for a weight (out, in): PyTorch's default for Linear, and PEFT's for A.
func kaimingUniform(w []float64, shape graph.Shape, r *Rand) error {
	limit := 1 / math.Sqrt(float64(shape[len(shape)-1]))
	return Uniform(-limit, limit)(w, shape, r)
}

// adapt returns y with the low-rank product of x added, where the register says so for this layer.
func (s *Scope) adapt(x, y *graph.Node) *graph.Node {
	l := s.build.params.lora
	if l == nil || !Match(s.path, l.Targets...) {
		return y
	}
	if l.Dropout > 0 && s.Mode() == Train {
		x = s.Dropout(x, l.Dropout, s.Stream("lora"))
	}
	a := s.Param(LoRAA, kaimingUniform, l.Rank, x.Dim(-1))
	b := s.Param(LoRAB, Zeros, y.Dim(-1), l.Rank)
	return s.Add(y, s.MatMulT(s.Scale(s.MatMulT(x, a), l.Scale()), b)) // the smaller product is scaled
}
