// A JavaScript peer for TestInterop: one JSON request a line on stdin, one JSON
// answer a line on stdout. Documents are named by numbers.
import * as A from "@automerge/automerge"
import { createInterface } from "node:readline"

const docs = new Map()
const b64 = bytes => Buffer.from(bytes).toString("base64")
const unb64 = text => new Uint8Array(Buffer.from(text, "base64"))

// mulberry32: the same edits for the same seed.
function random(seed) {
  return n => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

const keys = ["a", "b", "c", "é"]
const runes = ["a", "b", "é", "🙂", "\n"]

function word(rnd) {
  let s = ""
  for (let n = rnd(6); n > 0; n--) s += runes[rnd(runes.length)]
  return s
}

function value(rnd) {
  switch (rnd(14)) {
    case 0: return null
    case 1: return rnd(2) === 1
    case 2: return rnd(1000) - 500
    case 3: return (rnd(1000) - 500) * 2 ** 40
    case 4: return rnd(1000) / 7
    case 5: return new A.Uint(rnd(1000))
    case 6: return new A.Counter(rnd(10))
    case 7: return new A.ImmutableString(word(rnd))
    case 8: return new Uint8Array([rnd(256), rnd(256)].slice(rnd(3)))
    case 9: return new Date(rnd(1e9) * 1000 - 5e11)
    case 10: return {}
    case 11: return [rnd(5), word(rnd)]
    default: return word(rnd)
  }
}

// walk picks a random map, list or text, as its path.
function walk(doc, rnd) {
  let path = [], at = doc
  for (;;) {
    const ks = Array.isArray(at) ? [...at.keys()] : Object.keys(at)
    const inner = ks.filter(k => typeof at[k] === "string" || Array.isArray(at[k]) ||
      (at[k] !== null && typeof at[k] === "object" && at[k].constructor === Object))
    if (inner.length === 0 || rnd(3) === 0) return { path, at }
    const k = inner[rnd(inner.length)]
    path = [...path, k]
    at = at[k]
    if (typeof at === "string") return { path, at }
  }
}

// units are the positions between code points, in UTF-16 code units.
function units(s) {
  const at = [0]
  for (const c of s) at.push(at.at(-1) + c.length)
  return at
}

function editText(doc, path, s, rnd) {
  const at = units(s), n = at.length - 1
  const i = rnd(n + 1), j = i + rnd(Math.min(3, n - i) + 1)
  if (i < j && rnd(3) === 0) {
    const name = ["b", "i"][rnd(2)], expand = ["before", "after", "both", "none"][rnd(4)]
    const range = { start: at[i], end: at[j], expand }
    if (rnd(4) === 0) A.unmark(doc, path, range, name)
    else A.mark(doc, path, range, name, [true, 7, "x"][rnd(3)])
  } else if (rnd(6) === 0) {
    A.updateText(doc, path, word(rnd) + s.slice(at[i]))
  } else {
    A.splice(doc, path, at[i], at[j] - at[i], word(rnd))
  }
}

function edit(doc, rnd) {
  const { path, at } = walk(doc, rnd)
  if (typeof at === "string") return editText(doc, path, at, rnd)
  let obj = doc
  for (const k of path) obj = obj[k]
  if (Array.isArray(at)) {
    const i = rnd(at.length + 1)
    if (i < at.length && at[i] instanceof A.Counter && rnd(2) === 0) obj[i].increment(rnd(9) - 4)
    else if (i < at.length && rnd(3) === 0) obj.splice(i, 1)
    else if (i < at.length && rnd(3) === 0 && !(at[i] instanceof A.Counter)) obj[i] = value(rnd)
    else obj.splice(i, 0, value(rnd))
    return
  }
  const k = keys[rnd(keys.length)]
  if (at[k] instanceof A.Counter && rnd(2) === 0) obj[k].increment(rnd(9) - 4)
  else if (k in at && rnd(4) === 0) delete obj[k]
  else if (!(at[k] instanceof A.Counter)) obj[k] = value(rnd)
}

// dump describes an object with kinds, ids, conflicts and marks.
function dump(h, kind, id) {
  switch (kind) {
    case "map": {
      const m = {}
      for (const k of h.keys(id)) m[k] = all(h, id, k)
      return { map: m }
    }
    case "list": {
      const l = []
      for (let i = 0; i < h.length(id); i++) l.push(all(h, id, i))
      return { list: l }
    }
    case "text": {
      const marks = h.marks(id).map(m => [m.start, m.end, m.name, String(m.value)])
      return { text: h.text(id), marks: marks.map(m => m.join(" ")).sort() }
    }
  }
}

function all(h, obj, prop) {
  return h.getAll(obj, prop).reverse().map(([kind, v, op]) => {
    switch (kind) {
      case "map": case "list": case "text": return { id: v, ...dump(h, kind, v) }
      case "timestamp": return { id: op, timestamp: String(v.getTime()) }
      case "bytes": return { id: op, bytes: b64(v) }
      case "f64": return { id: op, f64: Object.is(v, -0) ? "-0" : String(v) }
      default: return { id: op, [kind]: String(v) }
    }
  })
}

const backend = n => A.getBackend(docs.get(n))

const commands = {
  open: ({ doc, actor }) => { docs.set(doc, A.init({ actor })) },
  load: ({ doc, save }) => { docs.set(doc, A.load(unb64(save))) },
  edit({ doc, seed, ops }) {
    const rnd = random(seed)
    docs.set(doc, A.change(docs.get(doc), { time: seed, message: "m" + seed }, d => {
      for (let i = 0; i < ops; i++) edit(d, rnd)
    }))
  },
  apply({ doc, changes }) {
    // Not A.applyChanges: 3.5.0 throws "cannot increment a non-numeric value" when
    // a counter's increment arrives together with a value that wins over it.
    const h = A.getBackend(docs.get(doc)).clone(A.getActorId(docs.get(doc)))
    h.applyChanges(changes.map(unb64))
    docs.set(doc, A.load(h.save(), { actor: A.getActorId(docs.get(doc)) }))
    h.free()
  },
  since: ({ doc, have }) => ({ changes: backend(doc).getChanges(have).map(b64) }),
  heads: ({ doc }) => ({ heads: A.getHeads(docs.get(doc)).sort() }),
  has: ({ doc, have }) => ({ have: have.filter(h => backend(doc).getChangeByHash(h)) }),
  dump: ({ doc }) => ({ dump: { id: "_root", ...dump(backend(doc), "map", "_root") } }),
  json: ({ doc }) => ({ json: JSON.stringify(docs.get(doc)) }),
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer
  try {
    answer = commands[request.cmd](request) ?? {}
  } catch (e) {
    answer = { error: String(e.stack ?? e) }
  }
  process.stdout.write(JSON.stringify(answer) + "\n")
}
