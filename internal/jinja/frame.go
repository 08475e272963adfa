package jinja

// A frame is what the parser knows of the names in one scope: the template, the body of a loop, a macro, a captured
// text. In jinja2 each scope has variables of its own for the names that it sets.
type frame struct {
	outer *frame
	refs  map[string]bool // names that the scope reads or sets itself, not in a scope within it
	first []string        // those that it sets before it reads them, outside of any if
	unset []string        // those of first that no scope around it has; they are undefined until they are set
	ifs   int             // ifs around what is being read
}

// in reads a part of a frame.
func (p *parser) in(f *frame, read func()) {
	outer := p.frame
	p.frame = f
	read()
	p.frame = outer
}

func (p *parser) newFrame() *frame {
	f := &frame{outer: p.frame, refs: map[string]bool{}}
	p.frames = append(p.frames, f)
	return f
}

// settle finds the unset names of all frames, once all is read.
func (p *parser) settle() {
	for _, f := range p.frames {
		for _, name := range f.first {
			if !f.outer.has(name) {
				f.unset = append(f.unset, name)
			}
		}
	}
}

func (f *frame) has(name string) bool {
	for ; f != nil; f = f.outer {
		if f.refs[name] {
			return true
		}
	}
	return false
}

// stores notes that the statement sets a target.
func (f *frame) stores(t target) {
	switch {
	case t.parts != nil:
		for _, part := range t.parts {
			f.stores(part)
		}
	case t.field == "" && !f.refs[t.name] && f.ifs == 0:
		f.first = append(f.first, t.name)
	}
	f.refs[t.name] = true
}

// declares notes a parameter.
func (f *frame) declares(t target) {
	for _, part := range t.parts {
		f.declares(part)
	}
	f.refs[t.name] = true
}

// vars returns the variables with which the scope begins.
func (f *frame) vars() map[string]any {
	vars := map[string]any{}
	for _, name := range f.unset {
		vars[name] = undefined{"'" + name + "' is undefined"}
	}
	return vars
}
