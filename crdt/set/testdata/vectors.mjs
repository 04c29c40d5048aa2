// Checks doc/vectors/set.json with nothing but node's built-ins: a second
// implementation that shares no code with the first. Run: node vectors.mjs FILE
import crypto from 'node:crypto'
import fs from 'node:fs'

const vectors = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
let checks = 0
const unhex = s => Buffer.from(s, 'hex')
const hex = b => Buffer.from(b).toString('hex')
function check (what, ok) {
  checks++
  if (!ok) { console.error('FAIL ' + what); process.exitCode = 1 }
}
const same = (what, a, b) => check(`${what}: ${hex(a).slice(0, 80)} is not ${hex(b).slice(0, 80)}`, Buffer.compare(a, b) === 0)
function refused (what, f) {
  let ok = true
  try { f() } catch { ok = false }
  check(`${what}: accepted`, !ok)
}
const fail = why => { throw new Error(why) }
const need = (ok, why) => ok || fail(why)

// --- profile A of CBOR: integers are BigInt, bytes Buffer, text string, arrays Array

function decode (b) {
  let at = 0
  function head () {
    need(at < b.length, 'input ends')
    const major = b[at] >> 5; const info = b[at] & 31
    at++
    need(major <= 4, 'kind')
    need(info <= 27, 'indefinite or reserved')
    if (info < 24) return [major, BigInt(info)]
    const size = 1 << (info - 24)
    need(at + size <= b.length, 'input ends')
    const n = BigInt('0x' + hex(b.subarray(at, at + size)))
    at += size
    need(n >= [24n, 256n, 65536n, 4294967296n][info - 24], 'not shortest')
    return [major, n]
  }
  function item (depth) {
    const [major, n] = head()
    if (major <= 1) {
      need(n < 1n << 63n, 'beyond int64')
      return major === 0 ? n : -1n - n
    }
    need(n <= BigInt(b.length - at), 'length beyond input')
    if (major === 4) {
      need(depth < 8, 'too deep')
      need(n <= 16384n, 'too many')
      return Array.from({ length: Number(n) }, () => item(depth + 1))
    }
    const s = b.subarray(at, at + Number(n))
    at += Number(n)
    return major === 2 ? s : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(s)
  }
  const v = item(0)
  need(at === b.length, 'trailing bytes')
  return v
}

function encode (v) {
  const head = (major, n) => {
    n = BigInt(n)
    const m = major << 5
    if (n < 24n) return Buffer.from([m | Number(n)])
    const size = n < 256n ? 1 : n < 65536n ? 2 : n < 4294967296n ? 4 : 8
    return Buffer.concat([Buffer.from([m | (24 + Math.log2(size))]), unhex(n.toString(16).padStart(size * 2, '0'))])
  }
  if (typeof v === 'bigint' || typeof v === 'number') return BigInt(v) < 0n ? head(1, -1n - BigInt(v)) : head(0, v)
  if (typeof v === 'string') return Buffer.concat([head(3, Buffer.byteLength(v)), Buffer.from(v)])
  if (Array.isArray(v)) return Buffer.concat([head(4, v.length), ...v.map(encode)])
  return Buffer.concat([head(2, v.length), v])
}

// --- primitives

const sha256 = (...b) => crypto.createHash('sha256').update(Buffer.concat(b)).digest()
const text = (s, ...b) => Buffer.concat([Buffer.from(s + '\0'), ...b])
const hkdf = (secret, info) => Buffer.from(crypto.hkdfSync('sha256', secret, Buffer.alloc(0), info, 32))
const publicKey = raw => crypto.createPublicKey({ key: Buffer.concat([unhex('302a300506032b6570032100'), raw]), format: 'der', type: 'spki' })
const verify = (raw, message, sig) => crypto.verify(null, message, publicKey(raw), sig)
const signWith = (seed, message) => crypto.sign(null, message,
  crypto.createPrivateKey({ key: Buffer.concat([unhex('302e020100300506032b657004220420'), seed]), format: 'der', type: 'pkcs8' }))

function hchacha20 (key, nonce16) {
  const s = new Uint32Array(16)
  ;[0x61707865, 0x3320646e, 0x79622d32, 0x6b206574].forEach((c, i) => { s[i] = c })
  for (let i = 0; i < 8; i++) s[4 + i] = key.readUInt32LE(4 * i)
  for (let i = 0; i < 4; i++) s[12 + i] = nonce16.readUInt32LE(4 * i)
  const rotl = (x, n) => (x << n) | (x >>> (32 - n))
  const quarter = (a, b, c, d) => {
    s[a] += s[b]; s[d] = rotl(s[d] ^ s[a], 16); s[c] += s[d]; s[b] = rotl(s[b] ^ s[c], 12)
    s[a] += s[b]; s[d] = rotl(s[d] ^ s[a], 8); s[c] += s[d]; s[b] = rotl(s[b] ^ s[c], 7)
  }
  for (let i = 0; i < 10; i++) {
    quarter(0, 4, 8, 12); quarter(1, 5, 9, 13); quarter(2, 6, 10, 14); quarter(3, 7, 11, 15)
    quarter(0, 5, 10, 15); quarter(1, 6, 11, 12); quarter(2, 7, 8, 13); quarter(3, 4, 9, 14)
  }
  const out = Buffer.alloc(32)
  ;[0, 1, 2, 3, 12, 13, 14, 15].forEach((w, i) => out.writeUInt32LE(s[w], 4 * i))
  return out
}

function aeadOpen (key, payload, ad) {
  const d = crypto.createDecipheriv('chacha20-poly1305', hchacha20(key, payload.subarray(0, 16)),
    Buffer.concat([Buffer.alloc(4), payload.subarray(16, 24)]), { authTagLength: 16 })
  d.setAAD(ad)
  d.setAuthTag(payload.subarray(-16))
  try { return Buffer.concat([d.update(payload.subarray(24, -16)), d.final()]) } catch { fail('seal') }
}

function padme (n) {
  if (n < 2) return n
  const e = 31 - Math.clz32(n); const s = 32 - Math.clz32(e)
  const mask = 2 ** (e - s) - 1
  return Math.ceil(n / (mask + 1)) * (mask + 1)
}

function unpad (padded) {
  const n = padded.readUInt32BE(0)
  need(n <= padded.length - 4 && padme(n + 4) === padded.length, 'padding')
  need(padded.subarray(4 + n).every(c => c === 0), 'padding')
  return padded.subarray(4, 4 + n)
}

const base32 = b => {
  const bits = [...b].map(x => x.toString(2).padStart(8, '0')).join('')
  return bits.match(/.{1,5}/g).map(x => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(x.padEnd(5, '0'), 2)]).join('')
}
const cid = id => 'b' + base32(Buffer.concat([unhex('01711220'), id]))

// --- objects

const isInt = (v, lo, hi) => need(typeof v === 'bigint' && v >= BigInt(lo) && v <= BigInt(hi), 'integer')
const isBytes = (v, lo, hi = lo) => need(Buffer.isBuffer(v) && v.length >= lo && v.length <= hi, 'bytes')
const isArray = (v, lo, hi = lo) => need(Array.isArray(v) && v.length >= lo && v.length <= hi, 'array')
function isIDs (v, lo, hi, sorted = true) {
  isArray(v, lo, hi)
  v.forEach((x, i) => { isBytes(x, 32); need(!sorted || i === 0 || Buffer.compare(v[i - 1], x) < 0, 'order') })
}
function isObject (v, type, n) {
  isArray(v, n)
  need(v[0] === type && v[1] === 1n, 'type or version')
}
function isHeads (rows, scope) {
  isArray(rows, 1, 5)
  rows.forEach((row, i) => {
    isArray(row, 2); isBytes(row[0], 32); isIDs(row[1], 1, 8)
    need(i === 0 || Buffer.compare(rows[i - 1][0], row[0]) < 0, 'order')
  })
  need(rows.some(row => row[0].equals(scope)), 'own scope')
}

const names = ['suite', 'scope', 'doc', 'path', 'device', 'incarnation', 'seq', 'prev', 'deps', 'heads', 'epoch', 'kind', 'count', 'codec', 'payload_len', 'payload_hash']
function header (b) {
  need(b.length <= 4096, 'size')
  const v = decode(b)
  isObject(v, 'pipes set', 18)
  const h = { raw: b, list: v, id: sha256(b) }
  names.forEach((name, i) => { h[name] = v[i + 2] })
  isInt(h.suite, 1, 1); isBytes(h.scope, 32); isBytes(h.doc, 32); isIDs(h.path, 1, 5, false)
  isBytes(h.device, 32); isBytes(h.incarnation, 8); isInt(h.seq, 1, Number.MAX_SAFE_INTEGER); isBytes(h.prev, 32)
  need((h.seq === 1n) === h.prev.equals(h.doc), 'prev')
  isIDs(h.deps, 0, 16); isHeads(h.heads, h.scope); isBytes(h.epoch, 32)
  isInt(h.kind, 0, 0); isInt(h.count, 1, 256); isInt(h.codec, 0, 2); isInt(h.payload_len, 45, 2 << 20); isBytes(h.payload_hash, 32)
  return h
}
const associated = h => encode([...h.list.slice(0, 16), 0, Buffer.alloc(32)])

function genesis (b) {
  need(b.length <= 8192, 'size')
  const v = decode(b)
  isObject(v, 'pipes doc', 10)
  const [, , scope, device, path, heads, nonce, imported, epoch, sealed] = v
  isBytes(scope, 32); isBytes(device, 32); isIDs(path, 1, 5, false); isHeads(heads, scope); isBytes(nonce, 16)
  need(Buffer.isBuffer(imported) && (imported.length === 0 || (imported.length === 32 && imported.some(c => c !== 0))), 'root')
  isBytes(epoch, 32); isBytes(sealed, 45, 2048)
  return { raw: b, list: v, id: sha256(b), scope, device, nonce, sealed }
}

const isSig = s => need(Buffer.isBuffer(s) && (s.length === 0 || s.length === 64), 'signature')
function joined (h, sig, payload) {
  isSig(sig)
  need(Buffer.isBuffer(payload) && (payload.length === 0 || BigInt(payload.length) === h.payload_len), 'payload')
  return { h, sig, payload }
}
function item (b) {
  const v = decode(b)
  isObject(v, 'pipes item', 5)
  isBytes(v[2], 0, 4096)
  return joined(header(v[2]), v[3], v[4])
}
const itemBytes = i => encode(['pipes item', 1, i.h.raw, i.sig, i.payload])

function run (b) {
  const v = decode(b)
  isObject(v, 'pipes run', 4)
  isBytes(v[2], 0, 4096); isArray(v[3], 1, 1024); isArray(v[3][0], 2)
  const out = [joined(header(v[2]), ...v[3][0])]
  for (const row of v[3].slice(1)) {
    isArray(row, 5, 6)
    const [sig, deps, count, codec, last, hash] = row
    const prev = out.at(-1).h
    const list = [...prev.list]
    list[8] = prev.seq + 1n; list[9] = prev.id; list[10] = deps; list[14] = count; list[15] = codec
    if (row.length === 5) isBytes(last, 45, 2 << 20)
    list[16] = row.length === 6 ? last : BigInt(last.length)
    list[17] = row.length === 6 ? hash : sha256(last)
    out.push(joined(header(encode(list)), sig, row.length === 6 ? Buffer.alloc(0) : last))
  }
  return out
}

function part (b) {
  const v = decode(b)
  isObject(v, 'pipes part', 7)
  const [, , whole, total, index, count, data] = v
  isBytes(whole, 32); isInt(total, 1, (2 << 20) + 8192); isInt(count, 2, 200); isInt(index, 0, count - 1n); isBytes(data, 1, 2 << 21)
  const size = (total + count - 1n) / count
  need(BigInt(data.length) === (index === count - 1n ? total - index * size : size), 'part length')
  return { whole, total, index, count, data }
}

const authentic = ({ h, sig }) => sig.length === 64 && verify(h.device, text('pipes change set v1', h.id), sig)
const objects = { header, genesis, item, run, part }

// --- contents

function plain (b) {
  const v = decode(b)
  isArray(v, 2); need(typeof v[0] === 'bigint', 'time'); isArray(v[1], 1, 256)
  v[1].forEach(c => isBytes(c, 0, 2 << 20))
  return { time: v[0], changes: v[1] }
}

const uleb = n => {
  const out = []
  for (n = BigInt(n); n >= 128n; n >>= 7n) out.push(Number(n & 127n) | 128)
  return Buffer.from([...out, Number(n)])
}

function compact (b, actor) {
  let at = 0
  const take = n => { need(at + Number(n) <= b.length, 'ends'); at += Number(n); return b.subarray(at - Number(n), at) }
  const number = () => {
    let v = 0n; let c
    let shift = 0n
    do { c = take(1)[0]; v |= BigInt(c & 127) << shift; shift += 7n } while (c & 128)
    need(c !== 0 || shift === 7n, 'not shortest')
    return v
  }
  const signed = () => { const u = number(); return (u >> 1n) ^ -(u & 1n) }
  const time = signed(); const count = number()
  let seq = number(); let startOp = 0n; let last = null
  const forms = [...take(count)]
  const changes = forms.map(form => {
    if (form === 0) { last = null; return take(number()) }
    let deps = [last]
    if (form === 2) deps = Array.from({ length: Number(number()) }, () => take(32))
    else need(form === 1 && last, 'form')
    startOp += signed()
    const rest = take(number())
    const body = Buffer.concat([uleb(deps.length), ...deps, uleb(16), actor, uleb(seq++), uleb(startOp), rest])
    const hashed = Buffer.concat([Buffer.from([1]), uleb(body.length), body])
    last = sha256(hashed)
    return Buffer.concat([unhex('856f4a83'), last.subarray(0, 4), hashed])
  })
  need(at === b.length, 'trailing bytes')
  return { time, changes }
}

function open (i, key) {
  need(sha256(i.payload).equals(i.h.payload_hash), 'payload hash')
  return unpad(aeadOpen(key, i.payload, associated(i.h)))
}

// --- the vectors

for (const [name, h] of Object.entries(vectors.dagcbor.accept)) same('dagcbor ' + name, encode(decode(unhex(h))), unhex(h))
for (const [name, h] of Object.entries(vectors.dagcbor.refuse)) refused('dagcbor ' + name, () => decode(unhex(h)))

for (const [name, k] of Object.entries(vectors.keys)) {
  check('key ' + name, verify(unhex(k.public), Buffer.from('x'), signWith(unhex(k.seed), Buffer.from('x'))))
}

const d = Object.fromEntries(Object.entries(vectors.derived).map(([k, v]) => [k, unhex(v)]))
same('content key', hkdf(d.epoch_secret, text('pipes content v1', d.doc)), d.content_key)
same('genesis key', hkdf(d.epoch_secret, text('pipes genesis v1', d.scope, d.genesis_nonce)), d.genesis_key)
same('actor', sha256(text('pipes actor v1', d.doc, d.device, d.incarnation)).subarray(0, 16), d.actor)
const zeroed = Buffer.from(d.schema_change.subarray(8))
zeroed.fill(0, zeroed.indexOf(d.schema_actor), zeroed.indexOf(d.schema_actor) + 16)
same('schema actor', sha256(text('pipes schema v1', zeroed)).subarray(0, 16), d.schema_actor)
for (const [n, bucket] of vectors.padme) check(`padme(${n})`, padme(n) === bucket)

{
  const v = vectors.genesis
  const g = genesis(unhex(v.raw))
  same('genesis', encode(g.list), g.raw)
  same('document id', g.id, unhex(v.id))
  check('document cid', cid(g.id) === v.cid)
  check('genesis signature', verify(g.device, text('pipes document v1', g.id), unhex(v.sig)))
  const key = hkdf(d.epoch_secret, text('pipes genesis v1', g.scope, g.nonce))
  const about = decode(unpad(aeadOpen(key, g.sealed, encode([...g.list.slice(0, 9), Buffer.alloc(0)]))))
  check('title and schema', about.length === 2 && about[0] === v.title && about[1] === v.schema)
  same('genesis item', encode(['pipes doc item', 1, g.raw, unhex(v.sig)]), unhex(v.item))
}

const flat = v => Array.isArray(v) ? v.map(flat) : Buffer.isBuffer(v) ? hex(v) : Number(v)
for (const v of vectors.sets) {
  const i = item(unhex(v.item)); const h = i.h; const name = 'set ' + v.name
  same(name + ' header', h.raw, unhex(v.header))
  same(name + ' encodes', encode(h.list), h.raw)
  same(name + ' associated data', associated(h), unhex(v.associated))
  same(name + ' id', h.id, unhex(v.id))
  check(name + ' cid', cid(h.id) === v.cid)
  for (const f of names) {
    const want = f === 'heads' ? v.fields.heads.map(([s, ...ops]) => [s, ops]) : v.fields[f]
    check(`${name} ${f}`, JSON.stringify(flat(h[f])) === JSON.stringify(want))
  }
  check(name + ' signature', authentic(i) && hex(i.sig) === v.sig)
  same(name + ' nonce', i.payload.subarray(0, 24), unhex(v.nonce))
  const coded = open(i, unhex(v.key))
  same(name + ' coded', coded, unhex(v.coded))
  // node 20 has no zstd: what the codec expands to is given.
  if (h.codec === 0n) same(name + ' expanded', coded, unhex(v.expanded))
  else check(name + ' is a zstd frame', coded.readUInt32LE(0) === 0xfd2fb528)
  const actor = sha256(text('pipes actor v1', h.doc, h.device, h.incarnation)).subarray(0, 16)
  const content = h.codec === 2n ? compact(unhex(v.expanded), actor) : plain(unhex(v.expanded))
  check(name + ' time', content.time === BigInt(v.time))
  check(name + ' count', content.changes.length === v.changes.length && BigInt(v.changes.length) === h.count)
  content.changes.forEach((c, n) => same(`${name} change ${n}`, c, unhex(v.changes[n])))
}

for (const v of vectors.runs) {
  const items = run(unhex(v.run)); const name = 'run ' + v.name
  check(name + ' length', items.length === v.items.length)
  items.forEach((i, n) => same(`${name} item ${n}`, itemBytes(i), unhex(v.items[n])))
  const last = items.findLastIndex(i => i.sig.length > 0)
  check(name + ' authentic', last + 1 === v.authentic && authentic(items[last]))
}
{
  const i = item(unhex(vectors.cover.item)); const v = decode(unhex(vectors.cover.cover))
  isObject(v, 'pipes cover', 3)
  const rest = v[2].flatMap(run)
  check('cover links', rest.every((r, n) => r.h.prev.equals(n ? rest[n - 1].h.id : i.h.id) && r.payload.length === 0))
  check('cover signature', i.sig.length === 0 && authentic(rest.at(-1)))
}
{
  const v = vectors.parts
  const whole = Buffer.from(Array.from({ length: v.total }, (_, i) => (7 * i + Math.floor(i / 256)) & 255))
  const parts = v.parts.map(p => part(Buffer.concat([unhex(p.head), whole.subarray(p.from, p.to)])))
  parts.forEach((p, n) => check('part ' + n, Number(p.index) === n && Number(p.count) === parts.length && hex(p.whole) === v.whole))
  same('whole of parts', sha256(...parts.map(p => p.data)), unhex(v.whole))
}
{
  const [a, b] = [item(unhex(vectors.fork.a)), item(unhex(vectors.fork.b))]
  const forked = a.h.device.equals(b.h.device) && a.h.incarnation.equals(b.h.incarnation) && a.h.prev.equals(b.h.prev) && !a.h.id.equals(b.h.id)
  check('fork', forked === vectors.fork.forked && authentic(a) && authentic(b))
}
for (const v of vectors.verify) {
  let valid = false
  try { valid = verify(unhex(v.device), text('pipes change set v1', unhex(v.id)), unhex(v.sig)) } catch {}
  check('verify ' + v.name, valid === v.valid)
}
for (const v of vectors.refuse) refused(`${v.object} ${v.name}`, () => objects[v.object](unhex(v.bytes)))
for (const v of vectors.open) {
  let reason = ''
  try {
    const i = item(unhex(v.item))
    const coded = unpad(aeadOpen(unhex(v.key), i.payload, associated(i.h)))
    let content
    try { content = plain(coded) } catch { fail('content') }
    need(BigInt(content.changes.length) === i.h.count, 'count')
  } catch (e) { reason = e.message }
  check(`open ${v.name}: ${reason}`, reason === v.reason)
}
console.log(`${checks} checks`)
