package change

// The columns, as Automerge numbers them: id<<4 | type, ascending.
const (
	colObjActor = iota
	colObjCtr
	colKeyActor
	colKeyCtr
	colKeyStr
	colInsert
	colAction
	colValueMeta
	colValue
	colPredCount
	colPredActor
	colPredCtr
	colExpand
	colMarkName
)

var colSpecs = [maxColumns]uint64{0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73, 0x94, 0xa5}

// columns holds the data of each column; absent ones are empty.
type columns struct{ data [maxColumns]string }

// parseColumns reads the table of columns and cuts out their data.
func parseColumns(r *reader) (c columns) {
	n := r.uleb()
	if n > maxColumns {
		r.stop("too many columns")
		return c
	}
	var lens [maxColumns]uint64
	next := 0
	for range n {
		spec := r.uleb()
		for next < maxColumns && colSpecs[next] != spec {
			next++
		}
		if next == maxColumns {
			r.stop("unknown or misplaced column")
			return c
		}
		if lens[next] = r.uleb(); lens[next] == 0 {
			r.stop("empty column")
			return c
		}
		next++
	}
	for i, l := range lens {
		c.data[i] = r.take(l)
	}
	return c
}

// decoder walks all columns abreast.
type decoder struct {
	op     Op
	fault  *fault
	actors uint64
	preds  int // predecessors left to claim

	objActor, objCtr     runs[uint64]
	keyActor             runs[uint64]
	keyCtr               deltas
	keyStr               runs[string]
	insert               bools
	action, meta         runs[uint64]
	raw                  reader
	predCount, predActor runs[uint64]
	predCtr              deltas
	expand               bools
	markName             runs[string]
}

func readUleb(r *reader) uint64 { return r.uleb() }
func readSleb(r *reader) int64  { return r.sleb() }
func readKey(r *reader) string  { return r.text(MaxKey, "key") }

func (d *decoder) start(c *Change, f *fault) {
	n, col := c.ops, &c.cols.data
	d.fault, d.actors = f, uint64(len(c.Actors))
	d.op.ID.Ctr = uint32(c.StartOp) - 1
	d.objActor.start(col[colObjActor], n, true, f, readUleb)
	d.objCtr.start(col[colObjCtr], n, true, f, readUleb)
	d.keyActor.start(col[colKeyActor], n, true, f, readUleb)
	d.keyCtr.start(col[colKeyCtr], n, true, f, readSleb)
	d.keyStr.start(col[colKeyStr], n, true, f, readKey)
	d.insert.start(col[colInsert], n, false, f)
	d.action.start(col[colAction], n, false, f, readUleb)
	d.meta.start(col[colValueMeta], n, false, f, readUleb)
	d.raw = reader{col[colValue], f}
	d.predCount.start(col[colPredCount], n, false, f, readUleb)
	d.preds = sumPreds(col[colPredCount], n, f)
	d.predActor.start(col[colPredActor], d.preds, false, f, readUleb)
	d.predCtr.start(col[colPredCtr], d.preds, false, f, readSleb)
	d.expand.start(col[colExpand], n, true, f)
	d.markName.start(col[colMarkName], n, true, f, readKey)
}

// next decodes the next operation into d.op.
func (d *decoder) next() {
	o := &d.op
	o.ID.Ctr++
	o.Obj = d.id(&d.objActor, &d.objCtr)
	d.key()
	o.Insert = d.insert.next()
	a, _ := d.action.next()
	if a >= uint64(numActions) {
		d.fault.malformed("unknown action")
	}
	o.Action = Action(a)
	m, _ := d.meta.next()
	if m>>4 > MaxValue {
		d.fault.overLimit("value")
		m = 0
	}
	o.Value = Value{ValueType(m & 15), d.raw.take(m >> 4)}
	o.Expand = d.expand.next()
	o.MarkName, o.HasName = d.markName.next()
	n, _ := d.predCount.next()
	o.Pred = o.Pred[:0]
	for range min(n, MaxPreds) {
		o.Pred = append(o.Pred, d.pred())
	}
}

// id reads an object's id: both halves or neither.
func (d *decoder) id(actor, ctr *runs[uint64]) OpID {
	a, okA := actor.next()
	c, okC := ctr.next()
	if !okA && !okC {
		return OpID{}
	}
	if okA != okC || c == 0 || c > MaxCounter || a >= d.actors {
		d.fault.malformed("bad object id")
		return OpID{}
	}
	return OpID{uint32(c), uint32(a)}
}

// key reads a key, or an element's id, or the head: counter 0 without actor.
func (d *decoder) key() {
	o := &d.op
	a, okA := d.keyActor.next()
	c, okC := d.keyCtr.next()
	s, okS := d.keyStr.next()
	o.Key, o.Elem = s, OpID{}
	switch {
	case okS && !okA && !okC && s != "":
	case !okS && okC && okA == (c > 0) && a < d.actors:
		o.Elem = OpID{uint32(c), uint32(a)}
	default:
		d.fault.malformed("bad key")
	}
}

func (d *decoder) pred() OpID {
	a, _ := d.predActor.next()
	c, _ := d.predCtr.next()
	if c <= 0 || a >= d.actors {
		d.fault.malformed("bad predecessor")
		return OpID{}
	}
	return OpID{uint32(c), uint32(a)}
}

// end checks that every column ended with the last operation.
func (d *decoder) end() {
	d.objActor.end()
	d.objCtr.end()
	d.keyActor.end()
	d.keyCtr.end()
	d.keyStr.end()
	d.insert.end()
	d.action.end()
	d.meta.end()
	if d.raw.s != "" {
		d.fault.malformed("unused value bytes")
	}
	d.predCount.end()
	d.predActor.end()
	d.predCtr.end()
	d.expand.end()
	d.markName.end()
}

// sumPreds adds up the column of predecessor counts without expanding it.
func sumPreds(data string, rows int, f *fault) int {
	r := reader{data, f}
	total, left := uint64(0), int64(rows)
	for r.s != "" {
		n, times := r.sleb(), int64(1)
		values := int64(1)
		if n < 0 {
			values = -max(n, -MaxOps-1)
		} else {
			times = n
		}
		if values*times > left {
			f.malformed("run is longer than the change")
			return 0
		}
		left -= values * times
		for ; values > 0 && r.s != ""; values-- {
			v := r.uleb()
			if v > MaxPreds || v*uint64(times) > MaxTotalPreds-total {
				f.overLimit("predecessors")
				return 0
			}
			total += v * uint64(times)
		}
	}
	return int(total)
}
