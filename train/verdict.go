package train

import (
	"fmt"
	"math"
)

// Names of a [Verdict].
const (
	Fits           = "fits"            // learnt, and the validation loss has stopped falling
	Overfits       = "overfits"        // the validation loss rose again, the training loss did not
	Underfits      = "underfits"       // hardly learnt anything
	StillImproving = "still improving" // the validation loss was falling when the run ended
	Unstable       = "unstable"        // the training loss rose, or a loss was not finite
	Undecided      = "undecided"       // too little to go by
)

// Bounds between the verdicts, as shares of a loss. A loss is compared by its mean over a tenth of the run's steps.
const (
	verdictRise   = 0.02 // a validation loss this far above its best is overfitting, if the training loss does not rise
	verdictFall   = 0.02 // a validation loss that falls this far in the last quarter of the run is still improving
	verdictLearn  = 0.05 // a training loss that falls by less, or a loss less below chance, has hardly learnt
	verdictBreak  = 0.10 // a training loss rises if it rises by more, and by more than the noise of batches explains
	verdictGap    = 0.5  // a training loss below this share of the validation loss: the examples are known by heart
	verdictEvals  = 3    // a verdict wants at least so many evaluations
	verdictWindow = 10   // a mean is over this fraction, one tenth, of the steps
)

// Verdict says in plain words how a run went and what to try next. Losses that are not finite are given as 0.
type Verdict struct {
	Name       string  `json:"name"` // Fits, Overfits, Underfits, StillImproving, Unstable or Undecided
	Text       string  `json:"text"` // what was seen, with figures, and what to try
	TrainFirst float64 `json:"train_first"`
	TrainBest  float64 `json:"train_best"` // in the steps up to BestStep
	TrainLast  float64 `json:"train_last"`
	ValFirst   float64 `json:"val_first"` // at the first evaluation
	ValBest    float64 `json:"val_best"`
	ValLast    float64 `json:"val_last"`
	BestStep   int     `json:"best_step"` // step of the evaluation with the lowest loss
	Steps      int     `json:"steps"`
}

// String is the name and the text.
func (v Verdict) String() string { return v.Name + ": " + v.Text }

// Judge reads the history of a run, the statuses of all its steps. In this order:
//
//   - Unstable: a loss is not finite, or the training loss ends more than 10 % above its beginning
//   - Undecided: fewer than 3 evaluations
//   - StillImproving: the last evaluation is the best, and 2 % or more below the best of the first three quarters
//   - Overfits: the last evaluation is more than 2 % above the best, and the training loss did not rise by 10 % since;
//     where it did, Unstable
//   - Underfits: the training loss has fallen by less than 5 % and is not below half of the validation loss. (A head
//     that was fitted before the first step may begin below that half.) Or the best validation loss is not 5 % below
//     chance
//   - Fits: all else
//
// Training losses are means over a tenth of the steps. The noise of single batches gives the difference of two means a
// standard error. A rise of less than twice that error does not count. Chance is the loss of a model that knows only
// how often each answer comes; for classes it is the entropy of their shares. It is 0 where it is not known. For a
// resumed run see [Run.Whole].
func Judge(h []Status, chance float64) Verdict {
	v := Verdict{Name: Undecided, Text: "no step was made."}
	if len(h) == 0 {
		return v
	}
	w := max(1, len(h)/verdictWindow)
	v.Steps, v.TrainFirst, v.TrainLast = h[len(h)-1].Step, meanLoss(h[:w]), meanLoss(h[len(h)-w:])
	evals := v.validation(h, w)
	broken := !finite(v.TrainLast) || !finite(v.TrainFirst) || !finite(v.ValLast)
	spread := 2 * noise(h) * math.Sqrt(2/float64(w))
	rises := func(from float64) bool { return v.TrainLast-from > max(verdictBreak*math.Abs(from), spread) }
	switch quarter := bestBefore(evals, h[0].Step+3*(v.Steps-h[0].Step)/4); {
	case broken:
		v.unstable("a loss became infinite or not a number.")
	case rises(v.TrainFirst):
		v.unstable(fmt.Sprintf("the training loss rose from %.3g to %.3g instead of falling.", v.TrainFirst, v.TrainLast))
	case len(evals) < verdictEvals:
		v.Text = fmt.Sprintf("%d evaluations on held-out data are too few to tell how the run went; evaluate at least %d times.", len(evals), verdictEvals)
	case v.BestStep == evals[len(evals)-1].Step && v.ValBest < quarter-verdictFall*math.Abs(quarter):
		v.improving(quarter)
	case v.ValLast > v.ValBest+verdictRise*math.Abs(v.ValBest) && rises(v.TrainBest):
		v.unstable(fmt.Sprintf("since step %d of %d both losses rose again, on training data from %.3g to %.3g, on validation data from %.3g to %.3g.",
			v.BestStep, v.Steps, v.TrainBest, v.TrainLast, v.ValBest, v.ValLast))
	case v.ValLast > v.ValBest+verdictRise*math.Abs(v.ValBest):
		v.overfits()
	case v.TrainLast > v.TrainFirst-verdictLearn*math.Abs(v.TrainFirst) && v.TrainLast >= verdictGap*v.ValLast || chance > 0 && v.ValBest > chance*(1-verdictLearn):
		v.underfits(chance)
	default:
		v.fits()
	}
	for _, f := range []*float64{&v.TrainFirst, &v.TrainBest, &v.TrainLast, &v.ValFirst, &v.ValBest, &v.ValLast} {
		if !finite(*f) { // JSON has no NaN
			*f = 0
		}
	}
	return v
}

// validation notes what the evaluations of h say and returns them; w is the window of training losses.
func (v *Verdict) validation(h []Status, w int) (evals []Status) {
	for i, s := range h {
		if !s.Evaluated {
			continue
		}
		if len(evals) == 0 {
			v.ValFirst, v.ValBest = s.ValLoss, math.Inf(1)
		}
		evals = append(evals, s)
		v.ValLast = s.ValLoss
		if s.ValLoss < v.ValBest {
			v.ValBest, v.BestStep = s.ValLoss, s.Step
			v.TrainBest = meanLoss(h[max(0, i+1-w) : i+1])
		}
	}
	return evals
}

// bestBefore is the lowest validation loss up to a step, +Inf where there is none.
func bestBefore(evals []Status, step int) float64 {
	best := math.Inf(1)
	for _, s := range evals {
		if s.Step <= step && s.ValLoss < best {
			best = s.ValLoss
		}
	}
	return best
}

// meanLoss is the mean training loss of some steps.
func meanLoss(h []Status) float64 {
	sum := 0.0
	for _, s := range h {
		sum += s.Loss
	}
	return sum / float64(len(h))
}

// noise is the standard deviation of single training losses around their course, from the differences of neighbours.
func noise(h []Status) float64 {
	sum := 0.0
	for i := 1; i < len(h); i++ {
		d := h[i].Loss - h[i-1].Loss
		sum += d * d
	}
	return math.Sqrt(sum / 2 / float64(max(1, len(h)-1)))
}

func (v *Verdict) unstable(seen string) {
	v.Name = Unstable
	v.Text = seen + " Try a learning rate 3 to 10 times smaller, a longer warmup, a larger batch, or clipping of the gradient; and look for broken examples in the data."
}

func (v *Verdict) improving(quarter float64) {
	v.Name = StillImproving
	v.Text = fmt.Sprintf("when the run ended the model was still getting better: over the last quarter the validation loss fell from %.3g to %.3g. "+
		"Try more epochs or steps; where time is short, a higher learning rate.", quarter, v.ValLast)
}

func (v *Verdict) overfits() {
	v.Name = Overfits
	v.Text = fmt.Sprintf("after step %d of %d the model learnt its training examples by heart: its loss on them went from %.3g to %.3g, "+
		"but on data that it does not train on the loss rose from %.3g to %.3g. Keep the weights of step %d, as early stopping does, or train fewer epochs. "+
		"For a better result try more or augmented data, more dropout or weight decay, a smaller LoRA rank, or fewer trained layers.",
		v.BestStep, v.Steps, v.TrainBest, v.TrainLast, v.ValBest, v.ValLast, v.BestStep)
}

func (v *Verdict) underfits(chance float64) {
	v.Name = Underfits
	seen := fmt.Sprintf("the model has hardly learnt anything: its training loss went from %.3g to %.3g.", v.TrainFirst, v.TrainLast)
	if chance > 0 && v.ValBest > chance*(1-verdictLearn) {
		seen = fmt.Sprintf("the model is hardly better than guessing: its best validation loss is %.3g, that of guessing by how often each answer comes %.3g.", v.ValBest, chance)
	}
	v.Text = seen + " Try a higher learning rate (a learning rate test finds one), more steps, a larger LoRA rank or more trained layers, or less dropout; and look whether texts and answers belong together."
}

func (v *Verdict) fits() {
	v.Name = Fits
	v.Text = fmt.Sprintf("the validation loss reached its best, %.3g, at step %d of %d and ended at %.3g: the run is long enough, and more steps will not help.",
		v.ValBest, v.BestStep, v.Steps, v.ValLast)
	if v.TrainLast < verdictGap*v.ValLast {
		v.Text += fmt.Sprintf(" The loss on the training examples is much lower, %.3g: the model knows them nearly by heart, so more data would help most.", v.TrainLast)
		return
	}
	v.Text += " For a better result try more data, a larger model, or another learning rate."
}
