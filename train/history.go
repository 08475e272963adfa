package train

// mostStatuses is the number of statuses that a run keeps in memory. In a run of more steps one stands for several.
const mostStatuses = 8192

// A course is the statuses of a run's steps, at most [mostStatuses]. Where there were more, neighbours were merged.
// The first one and the last one always stand for themselves.
type course struct {
	all  []Status
	each int // steps of a status: 1, and doubled each time that neighbours are merged
}

// add adds a status. It merges it with the one before where that stands for fewer steps than others.
func (h *course) add(s Status) {
	n := len(h.all)
	if n > 1 && steps(h.all, n-1) < h.each && !h.all[n-1].Evaluated {
		h.all[n-1] = merged(h.all[n-1], s, steps(h.all, n-1), 1)
		return
	}
	if h.all = append(h.all, s); n+1 == mostStatuses {
		h.halve()
	}
}

// halve merges neighbours. One that was evaluated is not merged with a later one that was not, since its step counts.
func (h *course) halve() {
	old := h.all
	kept := old[:1]
	for i := 1; i < len(old)-1; i++ {
		s := old[i]
		if i+1 < len(old)-1 && (old[i+1].Evaluated || !s.Evaluated) {
			s = merged(s, old[i+1], steps(old, i), steps(old, i+1))
			i++
		}
		kept = append(kept, s)
	}
	kept = append(kept, old[len(old)-1])
	clear(old[len(kept):])
	h.all, h.each = kept, max(1, h.each)*2
}

// steps is the number of steps that status i stands for.
func steps(all []Status, i int) int {
	if i == 0 {
		return 1
	}
	return max(0, all[i].Step-all[i-1].Step)
}

// merged is a status that stands for two, of na and nb steps: the later one, with the means of both. Where both were
// evaluated it is the one with the lower validation loss.
func merged(a, b Status, na, nb int) Status {
	if na+nb == 0 {
		return b
	}
	m, share := b, float64(na)/float64(na+nb)
	if a.Evaluated && a.ValLoss < b.ValLoss {
		m = a
	}
	m.Loss = share*a.Loss + (1-share)*b.Loss
	m.GradNorm = share*a.GradNorm + (1-share)*b.GradNorm
	m.TokensPerSec = 1 / (share/a.TokensPerSec + (1-share)/b.TokensPerSec)
	return m
}

// Whole returns statuses of all steps of a run, those before a resume included. There are at most about 16,000. In a
// run of more steps one stands for several, up to its own step, with their mean loss.
func (r *Run) Whole() []Status {
	return append(r.before.all[:len(r.before.all):len(r.before.all)], r.History...)
}

// note adds a status to those of this process.
func (r *Run) note(s Status) {
	r.course.all = r.History // which is the callers'
	r.course.add(s)
	r.History = r.course.all
}

// forget drops what the history says of the steps after one.
func (r *Run) forget(step int) {
	h := r.History
	for n := len(h); n > 0 && h[n-1].Step > step; n-- {
		if n > 1 && h[n-2].Step < step { // it stands for steps that stay, too
			h[n-1].Step = step
			break
		}
		h = h[:n-1]
	}
	r.History = h
}
