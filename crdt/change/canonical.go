package change

// Canonical reports what a canonical writer would not have said, as an error
// that wraps [ErrNotCanonical], or nil. It looks at the change alone:
//
//   - predecessors ascend, by counter and then by actor id, without repetition;
//   - every actor listed is one that some operation names;
//   - only marks have a name or grow with the text; the end of a mark has no
//     value; a mark is an insert;
//   - a delete has no value, is no insert and has predecessors;
//   - an increment is by a signed integer, is no insert and has predecessors;
//   - an operation that makes an object has no value.
//
// A core that reads anything else stores something else, and its next save has
// other hashes than its history: it cannot be loaded again.
func (c *Change) Canonical() error { return c.odd }

// judge applies the rules of Canonical to one operation after another.
type judge struct {
	actors []Actor
	used   []bool // by actor, made when there is more than the author
	err    error
}

func (j *judge) op(o *Op, i int) {
	if len(j.actors) > 1 {
		if j.used == nil {
			j.used = make([]bool, len(j.actors))
		}
		j.used[o.Obj.Actor], j.used[o.Elem.Actor] = true, true
		for _, p := range o.Pred {
			j.used[p.Actor] = true
		}
	}
	if what := j.oddity(o); what != "" && j.err == nil {
		j.err = &Error{ErrNotCanonical, i, what}
	}
}

func (j *judge) oddity(o *Op) string {
	if o.Action != Mark && (o.Expand || o.HasName) {
		return "mark columns on another operation"
	}
	for i := 1; i < len(o.Pred); i++ {
		a, b := o.Pred[i-1], o.Pred[i]
		if a.Ctr > b.Ctr || a.Ctr == b.Ctr && j.actors[a.Actor] >= j.actors[b.Actor] {
			return "predecessors are not ascending"
		}
	}
	switch o.Action {
	case Set:
	case Delete:
		return oddIf(o.Insert || o.Value.Type != Null || len(o.Pred) == 0, "odd delete")
	case Increment:
		return oddIf(o.Insert || o.Value.Type != Int || len(o.Pred) == 0, "odd increment")
	case Mark:
		return oddIf(!o.Insert || !o.HasName && o.Value.Type != Null, "odd mark")
	default:
		return oddIf(o.Value.Type != Null, "object with a value")
	}
	return ""
}

func oddIf(odd bool, what string) string {
	if odd {
		return what
	}
	return ""
}

func (j *judge) verdict() error {
	if j.err == nil {
		for i := 1; i < len(j.actors); i++ {
			if i >= len(j.used) || !j.used[i] {
				return &Error{ErrNotCanonical, -1, "an actor that no operation names"}
			}
		}
	}
	return j.err
}
