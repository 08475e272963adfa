package jinja

type macro struct {
	name      string
	params    []target // names
	defaults  []code   // of the last params
	body      []code
	frame     *frame
	reads     map[string]bool // which of caller, kwargs and varargs the body reads
	anonymous bool            // the body of a call block
}

// value returns the macro as a value. The macro sees the names of the scope in which it was defined.
func (m *macro) value(r *run) any {
	defined := r.scope
	return &callable{name: m.name, macro: m, builtin: builtin{"**", func(r *run, _ any, a []any) any {
		if !r.enter() {
			return nil
		}
		defer func() { r.depth-- }()
		return r.capture(defined, m.frame, func(r *run) any {
			m.bind(r, a[0].(args))
			return r.exec(m.body)
		})
	}}}
}

// field returns an attribute of the macro as a value.
func (m *macro) field(name string) (any, bool) {
	switch name {
	case "name":
		if m.anonymous {
			return nil, true
		}
		return m.name, true
	case "arguments":
		names := make([]any, len(m.params))
		for i, p := range m.params {
			names[i] = p.name
		}
		return newTuple(names...), true
	case "catch_kwargs":
		return m.reads["kwargs"], true
	case "catch_varargs":
		return m.reads["varargs"], true
	case "caller":
		return m.reads["caller"], true
	}
	return nil, false
}

// bind sets the parameters of a macro in its scope, and what its body reads of caller, kwargs and varargs. A parameter
// without a value is undefined.
func (m *macro) bind(r *run, given args) {
	vars := r.scope.vars
	n := min(len(given.pos), len(m.params))
	for i, p := range m.params {
		if vars[p.name] = any(absent{}); i < n {
			vars[p.name] = given.pos[i]
		}
	}
	if !r.spend(16 * len(m.params)) { // a parameter takes as long as 16 nodes
		return
	}
	m.bindNamed(r, given, n)
	if m.reads["varargs"] {
		vars["varargs"] = newTuple(given.pos[n:]...)
	} else if len(given.pos) > n {
		r.fail("macro %s: %d arguments, want at most %d", m.name, len(given.pos), len(m.params))
	}
	for i, p := range m.params {
		d := i - len(m.params) + len(m.defaults)
		if vars[p.name] == (absent{}) && d >= 0 {
			vars[p.name] = m.defaults[d](r)
		}
		vars[p.name] = or(vars[p.name], undefined{"parameter '" + p.name + "' was not provided"})
	}
}

// bindNamed sets the parameters that are given by name, but for the first n.
func (m *macro) bindNamed(r *run, given args, n int) {
	vars, rest, isParam := r.scope.vars, new(Map), map[string]bool{}
	for _, p := range m.params[n:] {
		isParam[p.name] = true
	}
	if m.reads["caller"] && !isParam["caller"] {
		vars["caller"] = undefined{"No caller defined"}
	}
	for i, k := range given.keys {
		switch {
		case isParam[k] && vars[k] == (absent{}), k == "caller" && m.reads[k] && !isParam[k]:
			if k != "caller" || isParam[k] || given.values[i] != nil {
				vars[k] = given.values[i]
			}
		case m.reads["kwargs"] && !isParam[k]:
			rest.Set(k, given.values[i])
		default:
			r.fail("macro %s: the argument %q is unknown or given twice", m.name, k)
		}
	}
	if m.reads["kwargs"] {
		vars["kwargs"] = rest
	}
}
