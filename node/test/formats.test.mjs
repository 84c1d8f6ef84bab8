// Formats of one's own: serialize types 5 to 15, by message types that the program brings.

import assert from 'node:assert/strict'
import test from 'node:test'
import { serialize, deserialize } from 'node:v8'
import { pair } from './support.mjs'

/** Structured clones, which hold what neither MessagePack nor JSON does. */
const clone = { encode: serialize, decode: deserialize }

/** Lines of text. */
const lines = {
  encode: (list) => Buffer.from(list.join('\n')),
  decode: (bytes) => Buffer.from(bytes).toString().split('\n'),
}

test('a program brings a format of its own, both ways', async (t) => {
  const seen = []
  const prepare = (server) =>
    server.function('S', 'Swap', (map, ctx) => {
      seen.push(ctx.serializeType)
      return new Map([...map].map(([key, value]) => [value, key]))
    }, { types: { Swap: { request: clone, reply: clone } } })
  const { client } = await pair(t, {}, { prepare })
  const service = client.service('S', { serialize_type: 5, types: { Swap: { request: clone, reply: clone } } })
  assert.deepEqual(await service.call('Swap', new Map([[/a+/g, { self: 1n }]])), new Map([[{ self: 1n }, /a+/g]]))
  assert.deepEqual(seen, [5])
})

test('arguments and reply may have different formats, and a method several', async (t) => {
  const types = { Count: { request: lines, reply: clone } }
  const prepare = (server) => server.function('S', 'Count', (list) => ({ count: list.length }), { types })
  const { client } = await pair(t, {}, { prepare })
  const service = client.service('S', { serialize_type: 15, types })
  assert.deepEqual(await service.call('Count', ['a', 'b']), { count: 2 })
  assert.deepEqual(await service.call('Count', ['a', 'b', 'c'], { serialize_type: 'msgpack' }), { count: 3 })
})

test('what a format refuses is an error of kind codec, on the side where it happens', async (t) => {
  const types = { Echo: { request: clone, reply: clone } }
  const prepare = (server) =>
    server.function('S', 'Echo', (value) => value, { types }).function('S', 'Bare', (value) => value)
  const { client } = await pair(t, {}, { prepare })
  const service = client.service('S', { serialize_type: 7, types })
  await assert.rejects(service.call('Echo', () => {}), { code: 'RPCX_CODEC', delivery: 'not_sent' })
  const raw = client.service('S', { serialize_type: 7, raw: true })
  await assert.rejects(raw.call('Echo', Buffer.from('no clone')), { reason: 'codec.server', delivery: 'answered' })
  // Without types nobody knows what the bytes mean.
  await assert.rejects(service.call('Bare', 1), { reason: 'codec.unsupported', delivery: 'not_sent' })
  await assert.rejects(raw.call('Bare', serialize(1)), { code: 'RPCX_CODEC', delivery: 'answered' })
})
