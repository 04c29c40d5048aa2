// Checks doc/vectors/acl.json with nothing but what node has: strict CBOR, ids,
// signatures, commitments and derived keys. (HPKE is left to the Go test.)
import { createHash, createPublicKey, hkdfSync, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const vectors = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const hex = (s) => Buffer.from(s, 'hex')
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest()
const text = (s) => Buffer.from(s, 'utf8')
const hkdf = (secret, ...info) => Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), Buffer.concat(info), 32))
let checks = 0
function expect(ok, what) {
  checks++
  if (!ok) throw new Error(what)
}

// decode reads one item of the profile: integers, bytes, text and arrays, each in
// its shortest form. Anything else throws.
function decode(b) {
  let at = 0
  function head() {
    if (at >= b.length) throw new Error('input ends early')
    const first = b[at++]
    const major = first >> 5
    const info = first & 31
    if (major !== 0 && major !== 1 && major !== 2 && major !== 3 && major !== 4) throw new Error('major type ' + major)
    if (info < 24) return [major, info]
    const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[info]
    if (!size || at + size > b.length) throw new Error('length of no definite size')
    let n = 0n
    for (let i = 0; i < size; i++) n = (n << 8n) | BigInt(b[at++])
    const least = { 1: 24n, 2: 256n, 4: 65536n, 8: 4294967296n }[size]
    if (n < least || n > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error('integer not in its shortest form, or too large')
    return [major, Number(n)]
  }
  function item(depth) {
    if (depth > 8) throw new Error('nested too deep')
    const [major, n] = head()
    if (major === 0) return n
    if (major === 1) return -1 - n
    if (major === 4) {
      const list = []
      for (let i = 0; i < n; i++) list.push(item(depth + 1))
      return list
    }
    if (at + n > b.length) throw new Error('input ends early')
    const s = b.subarray(at, (at += n))
    return major === 2 ? s : new TextDecoder('utf-8', { fatal: true }).decode(s)
  }
  const v = item(0)
  if (at !== b.length) throw new Error('bytes after the item')
  return v
}

const types = { genesis: 1, grant: 2, epoch: 32, incarnation: 36 }

function parse(enc) {
  const f = decode(enc)
  if (f[0] !== 'pipes op') throw new Error('label')
  if (f[1] !== 1 || !Object.values(types).includes(f[2])) throw new Error('type')
  if (f.length !== 13) throw new Error('fields')
  const [, , type, scope, device, incarnation, path, heads, seq, prev, deps, body, time] = f
  return { type, scope, device, incarnation, path, heads, seq, prev, deps, body, time }
}

function signed(device, enc, sig) {
  const key = createPublicKey({ key: Buffer.concat([hex('302a300506032b6570032100'), device]), format: 'der', type: 'spki' })
  return verify(null, Buffer.concat([text('pipes access op v1\0'), sha256(enc)]), key, sig)
}

// lifeRule is the first rule of lives that an operation breaks: of its chain, and of
// the announcement that the chain rests on.
function lifeRule(ops, op) {
  const same = (a, b) => a.device.equals(b.device) && a.incarnation.equals(b.incarnation)
  const all = [...ops.entries()].filter(([id, o]) => (o.type === types.genesis ? id === op.scope.toString('hex') : o.scope.equals(op.scope)))
  const before = all.find(([, o]) => same(o, op) && o.prev.equals(op.prev))
  if (before) return 'fork'
  const prev = op.seq > 1 && ops.get(op.prev.toString('hex'))
  if (prev !== false && !(prev && same(prev, op) && prev.seq === op.seq - 1)) return 'chain'

  const first = op.path.length && ops.get(op.path[0].toString('hex'))
  if (!first || first.type !== types.grant) return '' // a recovery key
  if (!first.body[0][1].equals(op.device)) return 'denied'
  if (op.type === types.incarnation) return op.seq === 1 ? '' : 'form'
  const person = first.scope
  const known = past(ops, op, person)
  const announced = [...known].map((id) => ops.get(id)).find((o) => o.type === types.incarnation && same(o, op))
  if (!announced || (op.scope.equals(person) && op.seq === 1)) return 'incarnation'
  for (const [scope, ids] of announced.body[0]) {
    const there = past(ops, op, scope)
    if (there.size > 0 && !ids.every((id) => there.has(id.toString('hex')))) return 'heads'
  }
  return ''
}

// past is the ids of what op knew of a scope: by its heads, or by prev and deps.
function past(ops, op, scope) {
  const row = op.heads.find(([s]) => s.equals(scope))
  const todo = (row ? row[1] : op.scope.equals(scope) ? [op.prev, ...op.deps] : []).map((id) => id.toString('hex'))
  const seen = new Set()
  for (let id; (id = todo.pop()) !== undefined; ) {
    if (id === '' || seen.has(id)) continue
    seen.add(id)
    const o = ops.get(id)
    if (!o) throw new Error('an unknown operation ' + id)
    todo.push(...[o.prev, ...o.deps].map((d) => d.toString('hex')))
  }
  return seen
}

for (const c of vectors.cases) {
  const ops = new Map()
  for (const v of c.ops) {
    const enc = hex(v.encoding)
    const op = parse(enc)
    expect(op.type === types[v.type], 'type of ' + v.id)
    expect(sha256(enc).toString('hex') === v.id, 'id of ' + v.id)
    expect(signed(op.device, enc, hex(v.sig)), 'signature of ' + v.id)
    if (op.type === types.genesis) expect(op.scope.length === 0, 'scope of a genesis')
    else expect(ops.has(op.scope.toString('hex')), 'a scope begins with its genesis')
    for (const id of [...op.deps, ...op.path]) expect(ops.has(id.toString('hex')), 'what an operation names comes before it')
    if (op.type === types.grant && op.body[0][0] === 1) {
      const [[, device, key], , , , [nonce, sig]] = op.body
      const spki = createPublicKey({ key: Buffer.concat([hex('302a300506032b6570032100'), device]), format: 'der', type: 'spki' })
      const joins = Buffer.concat([text('pipes device join v1\0'), op.scope, sha256(key), nonce])
      expect(verify(null, joins, spki, sig), 'a device joins')
    }
    expect(lifeRule(ops, op) === '', 'life of ' + v.id)
    ops.set(v.id, op)
  }
  for (const v of c.refused) {
    const op = parse(hex(v.encoding))
    expect(signed(op.device, hex(v.encoding), hex(v.sig)), 'signature of ' + v.name)
    expect(lifeRule(ops, op) === v.error, `${v.name}: ${lifeRule(ops, op) || 'allowed'}, want ${v.error}`)
  }
  for (const e of c.epochs) {
    const [scope, epoch, secret] = [hex(e.scope), hex(e.epoch), hex(e.secret)]
    expect(sha256(text('pipes epoch commit v1\0'), scope, secret).toString('hex') === e.commit, 'commitment of ' + e.epoch)
    expect(hkdf(secret, text('pipes content v1\0'), hex(e.doc)).toString('hex') === e.content_key, 'content key of ' + e.epoch)
    if (e.implicit_from !== undefined) {
      expect(e.scope === e.epoch, 'the implicit epoch is named as its scope')
      expect(hkdf(hex(c.epochs[e.implicit_from].secret), text('pipes own v1\0'), scope).equals(secret), 'implicit secret of ' + e.scope)
    } else {
      expect(ops.get(e.epoch).body[3].toString('hex') === e.commit, 'published commitment of ' + e.epoch)
      expect(ops.get(e.epoch).body[4].toString('hex') === (e.person_hpke_public_key ?? ''), 'published key of ' + e.epoch)
    }
  }
}

for (const v of vectors.invalid) {
  if (v.error === 'form') continue // the rules of package acl, not of the encoding
  let why = ''
  try {
    const op = parse(hex(v.encoding))
    if (!signed(op.device, hex(v.encoding), hex(v.sig))) why = 'signature'
  } catch (e) {
    why = e.message === 'type' ? 'type' : 'cbor'
  }
  expect(why === v.error, `${v.name}: ${why || 'accepted'}, want ${v.error}`)
}
console.log(`${checks} checks`)
