// MessagePack and JSON: what Go wrote, what another library writes, and bytes that are neither.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { decode as otherDecode, encode as otherEncode } from '@msgpack/msgpack'
import { Extension, Float32, RpcError, Timestamp, json, msgpack } from 'librpcx'

const vectors = JSON.parse(readFileSync(new URL('../../tests/vectors/payloads.json', import.meta.url), 'utf8'))
const through = ({ encode, decode }, value) => decode(encode(value))

test('what Go wrote in MessagePack is read, and what is read is written so that it reads the same', () => {
  // Of long ones only the beginning is there.
  const whole = vectors.encode.filter((entry) => /^[0-9a-f]+$/.test(entry.msgpack) && !/holds the first/.test(entry.note))
  assert.ok(whole.length > 100)
  for (const { name, msgpack: hex } of whole) {
    const value = msgpack.decode(Buffer.from(hex, 'hex'))
    assert.deepEqual(through(msgpack, value), value, name)
  }
})

test('what Go wrote in JSON is read without loss', () => {
  for (const { name, json: text } of vectors.encode.filter((entry) => typeof entry.json === 'string')) {
    const value = json.decode(Buffer.from(text))
    assert.deepEqual(through(json, value), value, name)
    const plain = JSON.parse(text)
    if (!/\d{16}/.test(text)) assert.deepEqual(value, plain, name)
  }
})

test('64-bit integers are exact', () => {
  const edges = [0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, Number.MAX_SAFE_INTEGER]
  const negative = [-1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649, Number.MIN_SAFE_INTEGER]
  const large = [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n - 1n]
  for (const value of [...edges, ...negative, ...large]) {
    assert.equal(through(msgpack, value), value)
    assert.equal(through(json, value), value)
    assert.deepEqual(through(json, { a: [value] }), { a: [value] })
  }
  assert.equal(through(msgpack, 5n), 5)
  assert.throws(() => msgpack.encode(2n ** 64n), { code: 'RPCX_CODEC', reason: 'codec.encode' })
  // More than 64 bits are none of Go's integers.
  assert.equal(json.decode(Buffer.from('100000000000000000000')), 1e20)
})

test('numbers that are no integers keep their bits', () => {
  for (const value of [-0, 0.1, 1e-320, Number.MAX_VALUE, 2 ** 60, -1.5]) {
    assert.ok(Object.is(through(msgpack, value), value), String(value))
    assert.equal(Number(through(json, value)), value)
  }
  assert.ok(Object.is(through(json, -0), -0))
  assert.equal(msgpack.encode(new Float32(0.1)).toString('hex'), 'ca3dcccccd')
  assert.throws(() => json.encode(NaN), { reason: 'codec.encode' })
})

test('another library reads what is written, and the other way round', () => {
  const value = {
    text: 'ä😀'.repeat(20),
    long: 'x'.repeat(70_000),
    list: Array.from({ length: 20 }, (_, i) => i * 1e5),
    map: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key-${i}`, i % 2 === 0])),
    nested: { a: { b: [null, { c: -1 }] } },
    number: 1.5,
  }
  assert.deepEqual(otherDecode(msgpack.encode(value)), value)
  assert.deepEqual(msgpack.decode(otherEncode(value)), value)
  const bytes = msgpack.decode(otherEncode({ b: new Uint8Array([1, 2, 3]) }))
  assert.deepEqual([...bytes.b], [1, 2, 3])
})

test('moments keep their nanoseconds', () => {
  const texts = ['1970-01-01T00:00:00Z', '2023-11-14T22:13:20.000000001Z', '0001-01-01T00:00:00Z', '1969-12-31T23:59:59.5Z', '2106-02-07T06:28:16Z']
  for (const text of texts) {
    const moment = Timestamp.of(text)
    assert.equal(through(msgpack, moment).toJSON(), text)
    assert.equal(through(json, moment), text)
  }
  assert.equal(Timestamp.of('2023-11-15T00:13:20.5+02:00').toJSON(), '2023-11-14T22:13:20.5Z')
  const date = new Date(1_700_000_000_123)
  assert.equal(through(msgpack, date).getTime(), date.getTime())
  assert.throws(() => Timestamp.of('noon'), RangeError)
})

test('bytes, maps, sets and undefined have their forms', () => {
  assert.deepEqual(through(msgpack, { a: undefined, b: null }), { b: null })
  assert.equal(through(msgpack, undefined), null)
  assert.deepEqual(through(msgpack, new Map([[1, 'one']])), new Map([[1, 'one']]))
  assert.deepEqual(through(msgpack, new Set([1, 2])), [1, 2])
  assert.deepEqual(through(msgpack, new Extension(5, Buffer.from('ab'))), new Extension(5, Buffer.from('ab')))
  assert.equal(json.encode({ b: Buffer.from([0, 255]), m: new Map([['k', 1]]) }).toString(), '{"b":"AP8=","m":{"k":1}}')
  assert.deepEqual(Object.keys(msgpack.decode(msgpack.encode(JSON.parse('{"__proto__":1}')))), ['__proto__'])
  assert.deepEqual(Object.keys(json.decode(Buffer.from('{"__proto__":9007199254740993}'))), ['__proto__'])
})

test('a value in itself, or nested too deeply, is refused both ways', () => {
  const loop = []
  loop.push(loop)
  for (const codec of [msgpack, json]) assert.throws(() => codec.encode(loop), { reason: 'codec.encode' })
  assert.throws(() => msgpack.decode(Buffer.alloc(100_000, 0x91)), { reason: 'codec.decode' })
})

test('input that is cut off, or claims more than is there, is an error of kind codec and nothing else', () => {
  const whole = msgpack.encode({ list: [1, 2n ** 60n, 'text', Buffer.alloc(40), new Date(0)], nested: { a: 1.5 } })
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => msgpack.decode(whole.subarray(0, length)), RpcError, `${length} bytes`)
  }
  for (const hex of ['ddffffffff', 'dfffffffff', 'c6ffffffff', 'dbffffffff', 'c9ffffffff00', 'c1', '0000', 'c701ff00']) {
    assert.throws(() => msgpack.decode(Buffer.from(hex, 'hex')), { code: 'RPCX_CODEC' }, hex)
  }
  for (const text of ['{', '[1,]', '01', '{"a":9007199254740993', '1 2']) {
    assert.throws(() => json.decode(Buffer.from(text)), { code: 'RPCX_CODEC' }, text)
  }
})

test('random bytes never break the reader', () => {
  let seed = 42
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)))
    try {
      msgpack.decode(bytes)
    } catch (error) {
      assert.ok(error instanceof RpcError, `${bytes.toString('hex')}: ${error}`)
    }
  }
})

test('a getter that encodes something does not disturb what is encoded', () => {
  const value = {
    before: 'x'.repeat(100),
    get inner() {
      return msgpack.encode({ other: 'y'.repeat(200) }).length
    },
    after: 'z',
  }
  assert.deepEqual(msgpack.decode(msgpack.encode(value)), { before: 'x'.repeat(100), inner: 209, after: 'z' })
})
