package record

import "slices"

// labels counts the classes, and finds those that only held-out rows have.
func (k *checking) labels() (err error) {
	if k.Check.Label == "" {
		return nil
	}
	if k.Labels, err = k.r.Classes(k.Check.Label); err != nil {
		return err
	}
	if k.Balance, err = k.Labels.Balance(k.r.Rows()); err != nil {
		return err
	}
	for _, c := range k.Balance {
		k.Classes[c.Name] = c.Count
	}
	held, err := k.held.Classes(k.Check.Label)
	if err != nil {
		return err
	}
	k.Alike = k.Labels.Alike
	known := map[string]bool{}
	for _, name := range k.Labels.Names {
		known[Label(name)] = true
	}
	for _, name := range held.Names {
		if !known[Label(name)] {
			k.Unseen = append(k.Unseen, name)
		}
	}
	return nil
}

// duplicates finds rows that repeat or resemble earlier ones and returns the rows whose text no earlier one has.
func (k *checking) duplicates(rows []int) (different []int, err error) {
	p, texts := &k.Places, k.Texts(k.r)
	if p.Duplicates, err = (Near{Text: texts, Similarity: 1}).Within(rows); err != nil {
		return nil, err
	}
	different = Without(rows, p.Duplicates)
	if k.Similarity < 1 {
		if p.Near, err = (Near{Text: texts, Similarity: k.Similarity}).Within(different); err != nil {
			return nil, err
		}
	}
	for _, pair := range p.Duplicates {
		differ, err := k.differ(pair)
		if err != nil {
			return nil, err
		}
		if differ {
			p.Conflicts = append(p.Conflicts, pair)
		}
	}
	k.Duplicates, k.Near, k.Conflicts = len(p.Duplicates), len(p.Near), len(p.Conflicts)
	return different, nil
}

// differ tells whether two rows that are alike have another answer, but for case and white space, or another label.
func (k *checking) differ(p Pair) (bool, error) {
	if k.Answers == nil {
		return k.Labels != nil && k.Labels.Of[p.A] != k.Labels.Of[p.B], nil
	}
	answers := k.Answers(k.r)
	a, err := answers(p.A)
	if err != nil {
		return false, err
	}
	b, err := answers(p.B)
	return FoldText(a) != FoldText(b), err
}

// split divides rows as training would.
func (k *checking) split(rows []int) ([][]int, error) {
	return Split(rows, k.Labels, k.Seed, 1-k.Val, k.Val)
}

// small finds the labels that a part of the split of rows lacks.
func (k *checking) small(rows []int) error {
	if k.Labels == nil {
		return nil
	}
	parts, err := k.split(rows)
	if err != nil {
		return err
	}
	for _, part := range parts {
		b, err := k.Labels.Balance(part)
		if err != nil {
			return err
		}
		for _, c := range b {
			if c.Count == 0 && !slices.Contains(k.Small, c.Name) {
				k.Small = append(k.Small, c.Name)
			}
		}
	}
	slices.Sort(k.Small)
	return nil
}

// leak looks for the texts of rows among those held out: Against, or else a part of the rows.
func (k *checking) leak(rows []int) error {
	n, texts := k.r.Len(), k.Texts(k.r)
	train, held := rows, k.held.Rows()
	if k.Against == nil {
		parts, err := k.split(rows)
		if err != nil {
			return err
		}
		train, held = parts[0], parts[1]
	} else {
		for i := range held {
			held[i] += n
		}
		own, other := texts, k.Texts(k.held)
		texts = func(i int) (string, error) {
			if i < n {
				return own(i)
			}
			return other(i - n)
		}
	}
	pairs, err := Near{Text: texts, Similarity: k.Similarity}.Leaks(train, held)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if k.Against != nil {
			p.B -= n
		}
		k.Places.Leaks = append(k.Places.Leaks, p)
	}
	k.Leaks, k.HeldOut = len(pairs), len(held)
	return nil
}
