// Reads doc/vectors/bundle.json with nothing but node's own library: frames, hash,
// order, the signatures of operations, document and change sets.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const v = JSON.parse(readFileSync(process.argv[2]))
const hex = (s) => Buffer.from(s, 'hex')
const sha = (b) => createHash('sha256').update(b).digest()
const fail = (why) => { throw new Error(why) }

// CBOR: integers, byte strings, text, arrays; shortest forms only.
function decode(b) {
  let at = 0
  const item = () => {
    const major = b[at] >> 5, low = b[at++] & 31
    let n = BigInt(low)
    if (low > 27 || major > 4) fail('cbor')
    if (low >= 24) {
      const size = 1 << (low - 24)
      n = BigInt('0x' + b.subarray(at, at + size).toString('hex'))
      at += size
      if (n < [24n, 1n << 8n, 1n << 16n, 1n << 32n][low - 24]) fail('cbor: not the shortest form')
    }
    const len = Number(n)
    switch (major) {
      case 0: return len
      case 1: return -1 - len
      case 4: return Array.from({ length: len }, item)
    }
    if (at + len > b.length) fail('cbor: cut off')
    const s = b.subarray(at, (at += len))
    return major === 2 ? s : s.toString()
  }
  const out = item()
  if (at !== b.length) fail('cbor: bytes after the item')
  return out
}

function encode(x) {
  const head = (major, n) => {
    if (n < 24) return Buffer.from([major << 5 | n])
    const size = n < 2 ** 8 ? 1 : n < 2 ** 16 ? 2 : n < 2 ** 32 ? 4 : 8
    const b = Buffer.alloc(1 + size)
    b[0] = major << 5 | 24 + Math.log2(size)
    size === 8 ? b.writeBigUInt64BE(BigInt(n), 1) : b.writeUIntBE(n, 1, size)
    return b
  }
  if (typeof x === 'number') return x < 0 ? head(1, -1 - x) : head(0, x)
  if (typeof x === 'string') return Buffer.concat([head(3, Buffer.byteLength(x)), Buffer.from(x)])
  if (Array.isArray(x)) return Buffer.concat([head(4, x.length), ...x.map(encode)])
  return Buffer.concat([head(2, x.length), x])
}

// frames answers the frames of a whole bundle, or throws.
const magic = Buffer.from('pipes bundle v1\n')
const names = [, 'begin', 'ops', 'document', 'run', 'part', 'end']
function frames(b) {
  if (!b.subarray(0, magic.length).equals(magic)) fail('magic')
  const out = []
  for (let at = magic.length, phase = 0; ;) {
    const offset = at
    let length = 0
    for (let i = 0; ; i++) {
      if (at >= b.length) fail('truncated')
      const c = b[at++]
      length += (c & 127) * 2 ** (7 * i)
      if (i > 0 && c === 0 || length > 2 ** 20 || i > 3) fail('length')
      if (c < 128) break
    }
    if (at + length > b.length) fail('truncated')
    const f = decode(b.subarray(at, (at += length))), type = names[f[0]] ?? fail('version')
    if (type === 'begin' && f[1] !== 1) fail('version')
    const next = type === 'part' ? 4 : f[0]
    if (next < phase || (type === 'begin') !== (out.length === 0)) fail('order')
    phase = next
    if (type === 'end') {
      if (f[1] !== out.length || !f[2].equals(sha(b.subarray(0, offset)))) fail('hash')
      if (at !== b.length) fail('after the end')
      return [...out, { offset, length, type, f }]
    }
    out.push({ offset, length, type, f })
  }
}

const spki = hex('302a300506032b6570032100') // RFC 8410
const good = (key, context, id, sig) =>
  verify(null, Buffer.concat([Buffer.from(context + '\0'), id]),
    createPublicKey({ key: Buffer.concat([spki, key]), format: 'der', type: 'spki' }), sig)

// run answers the items that a run stands for.
function run(b) {
  const [type, version, first, rows] = decode(b)
  if (type !== 'pipes run' || version !== 1) fail('run')
  const h = decode(first), items = []
  rows.forEach((row, i) => {
    if (i > 0) {
      const payload = row.length === 5 ? row[4] : null
      h[8] = h[8] + 1
      h[9] = items[i - 1].id
      h[10] = row[1]
      h[14] = row[2]
      h[15] = row[3]
      h[16] = payload ? payload.length : row[4]
      h[17] = payload ? sha(payload) : row[5]
    }
    items.push({ id: sha(encode(h)), device: h[6], sig: row[0] })
  })
  return items
}

const bundle = hex(v.bundle)
const all = frames(bundle)
const count = { ops: 0, sets: 0 }
const same = JSON.stringify(all.map(({ offset, length, type }) => ({ offset, length, type })))
if (same !== JSON.stringify(v.frames)) fail('frames: ' + same)
for (const { type, f } of all) {
  if (type === 'ops') {
    for (const op of f[2]) {
      const enc = op.subarray(64), fields = decode(enc)
      if (!good(fields[4], 'pipes access op v1', sha(enc), op.subarray(0, 64))) fail('signature of an operation')
      count.ops++
    }
  }
  if (type === 'document') {
    const [, , raw, sig] = decode(f[1])
    if (sha(raw).toString('hex') !== v.document || !good(decode(raw)[3], 'pipes document v1', sha(raw), sig)) fail('document')
  }
  if (type === 'run') {
    const items = run(f[1]), covers = f[2].length ? decode(f[2])[2].flatMap(run) : []
    for (const item of items) {
      const want = v.sets[count.sets++]
      if (item.id.toString('hex') !== want.id || (item.sig.length > 0) !== want.signed) fail('change set ' + want.id)
    }
    const last = covers.at(-1) ?? items.at(-1)
    if (!good(last.device, 'pipes change set v1', last.id, last.sig)) fail('signature of a run')
  }
}
if (count.sets !== v.sets.length) fail('change sets')

for (const { name, edits, reason } of v.refused) {
  let b = bundle
  for (const e of edits.toReversed()) b = Buffer.concat([b.subarray(0, e.at), hex(e.put), b.subarray(e.at + e.cut)])
  let why = 'nothing'
  try { frames(b) } catch (e) { why = e.message }
  if (why !== reason) fail(`${name}: refused for ${why}, want ${reason}`)
}
console.log(`${all.length} frames, ${count.ops} operations, ${count.sets} change sets, ${v.refused.length} refused`)
