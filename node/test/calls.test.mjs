// Calls between a client and a server of this process: values, errors, metadata, time, every way to call.

import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import protobuf from 'protobufjs'
import { Client, Context, RpcError, Server, currentContext } from 'librpcx'
import { pair, until } from './support.mjs'

const Arith = {
  Mul: ({ A, B }) => ({ C: A * B }),
  async Div({ A, B }) {
    if (B === 0) throw new Error('divide by zero')
    return { C: Math.trunc(A / B) }
  },
}

/** A handler that ends when nobody waits for it, and tells so. */
function waiter() {
  const ended = []
  const Wait = (_, ctx) =>
    new Promise((_, reject) => {
      ctx.signal.addEventListener('abort', () => {
        ended.push(ctx.signal.reason.reason)
        reject(ctx.signal.reason)
      })
    })
  return { ended, Wait }
}

test('values go and come in MessagePack and JSON', async (t) => {
  const { client } = await pair(t, { Arith, Echo: { Value: (value) => value } })
  const arith = client.service('Arith')
  assert.deepEqual(await arith.call('Mul', { A: 6, B: 7 }), { C: 42 })
  assert.deepEqual(await arith.call('Div', { A: -7, B: 2 }, { serialize_type: 'json' }), { C: -3 })
  const value = { text: 'ä😀', big: 2n ** 63n, list: [1, null, true], bytes: Buffer.from([0, 255]) }
  assert.deepEqual(await client.service('Echo').call('Value', value), value)
})

test('an error says what was thrown, where, and that a handler answered', async (t) => {
  const { client, server } = await pair(t, { Arith })
  const arith = client.service('Arith')
  await assert.rejects(arith.call('Div', { A: 1, B: 0 }), {
    name: 'RpcError',
    code: 'RPCX_SERVICE',
    reason: 'service.error',
    message: 'divide by zero',
    delivery: 'answered',
    attempts: 1,
    server: server.addresses[0],
  })
  await assert.rejects(arith.call('Nope', {}), { reason: 'service.unknown_method' })
  await assert.rejects(client.service('Nope').call('Nope', {}), { reason: 'service.unknown_service' })
})

test('a mistake in a handler is answered as a panic is', async (t) => {
  const services = { S: { Bad: () => undefined.x, Odd: () => Promise.reject('text') } }
  const { client } = await pair(t, services)
  const quiet = await pair(t, services, { server: { panic_text: false } })
  const message = /^internal error in S\.Bad: TypeError: /
  await assert.rejects(client.service('S').call('Bad'), { code: 'RPCX_SERVICE', message })
  await assert.rejects(client.service('S').call('Odd'), { message: 'internal error in S.Odd: text' })
  await assert.rejects(quiet.client.service('S').call('Bad'), { message: 'internal error in S.Bad' })
})

test('arguments that cannot be decoded are of kind codec', async (t) => {
  const { client } = await pair(t, { Arith })
  const raw = client.service('Arith', { raw: true })
  await assert.rejects(raw.call('Mul', Buffer.from([0xc1])), { reason: 'codec.server', delivery: 'answered' })
  await assert.rejects(client.service('Arith').call('Mul', {}, { serialize_type: 'protobuf' }), {
    reason: 'codec.unsupported',
    delivery: 'not_sent',
  })
  const protobufBytes = client.service('Arith', { raw: true, serialize_type: 'protobuf' })
  await assert.rejects(protobufBytes.call('Mul', Buffer.alloc(0)), { code: 'RPCX_CODEC', delivery: 'answered' })
})

test('metadata goes both ways', async (t) => {
  const Meta = (_, ctx) => {
    for (const [key, value] of Object.entries(ctx.metadata)) if (!key.startsWith('__')) ctx.setMetadata(`echo-${key}`, value)
  }
  const { client, server } = await pair(t, { Echo: { Meta } })
  const metadata = { user: 'ada', empty: '', ключ: 'значение' }
  const response = await client.service('Echo').callWith('Meta', null, { metadata })
  assert.deepEqual(response.metadata, { 'echo-user': 'ada', 'echo-empty': '', 'echo-ключ': 'значение' })
  assert.deepEqual([response.value, response.attempts, response.server], [null, 1, server.addresses[0]])
})

test('messages of Protocol Buffers need nothing but encode and decode', async (t) => {
  const { root } = protobuf.parse('syntax = "proto3"; message Args { int32 a = 1; int32 b = 2; } message Reply { int32 c = 1; }')
  const types = { Mul: { request: root.lookupType('Args'), reply: root.lookupType('Reply') } }
  const prepare = (server) => server.function('Arith', 'Mul', ({ a, b }) => ({ c: a * b }), { types })
  const { client } = await pair(t, {}, { prepare })
  const arith = client.service('Arith', { types })
  assert.equal((await arith.call('Mul', { a: 6, b: 7 })).c, 42)
  assert.deepEqual(await arith.call('Mul', { a: 6, b: 7 }, { serialize_type: 'json' }), { c: 42 })
})

test('the deadline reaches the handler, and ends the call', async (t) => {
  const { ended, Wait } = waiter()
  const { client } = await pair(t, { S: { Wait, Left: (_, ctx) => ctx.remaining ?? -1 } }, { client: { timeout: 0 } })
  const service = client.service('S')
  const left = await service.call('Left', null, { timeout: 5000 })
  assert.ok(left > 0 && left <= 5000, String(left))
  assert.equal(await service.call('Left'), -1)
  await assert.rejects(service.call('Wait', null, { timeout: 30 }), { code: 'RPCX_TIMEOUT', delivery: 'maybe_run' })
  await until(() => ended.length === 1, 'the handler is told')
  assert.deepEqual(ended, ['cancelled.server'])
})

test('a signal cancels a call, here and there, and the caller sees its reason', async (t) => {
  const { ended, Wait } = waiter()
  const { client } = await pair(t, { S: { Wait, Ping: () => 'pong' } }, { client: { timeout: 0 } })
  const service = client.service('S')
  // The sides have then told each other what they can do.
  await service.call('Ping')
  const abort = new AbortController()
  const call = service.call('Wait', null, { signal: abort.signal })
  setImmediate(() => abort.abort(new Error('enough')))
  await assert.rejects(call, { message: 'enough' })
  await until(() => ended.length === 1, 'the handler is told')
  await assert.rejects(service.call('Wait', null, { signal: abort.signal }), { message: 'enough' })
  await assert.rejects(service.call('Wait', null, { signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' })
  // Before the request has even left.
  const soon = new AbortController()
  const early = service.call('Wait', null, { signal: soon.signal })
  soon.abort()
  await assert.rejects(early, { name: 'AbortError' })
})

test('calls made in a handler inherit its deadline and trace, unless told not to', async (t) => {
  const seen = []
  let inner
  const Inner = (_, ctx) => {
    seen.push([ctx.metadata.traceparent, ctx.remaining !== undefined])
  }
  const Outer = async () => {
    assert.ok(currentContext() instanceof Context)
    await sleep(1)
    await inner.call('Inner')
    await inner.call('Inner', null, { parent: null })
  }
  const { client, server } = await pair(t, { S: { Inner, Outer } }, { client: { timeout: 0 } })
  const nested = new Client(server.addresses, { timeout: 0 })
  t.after(() => nested.close())
  inner = nested.service('S')
  await client.service('S').call('Outer', null, { timeout: 5000, metadata: { traceparent: 'trace', other: 'x' } })
  assert.deepEqual(seen, [['trace', true], [undefined, false]])
  assert.equal(currentContext(), undefined)
})

test('oneway and oneshot are served and not answered', async (t) => {
  const came = []
  const Note = (text, ctx) => came.push([text, ctx.isOneway])
  const { client } = await pair(t, { S: { Note, Ping: () => 'pong' } })
  const service = client.service('S')
  await service.call('Ping')
  await service.oneway('Note', 'one')
  await service.oneshot('Note', 'two')
  await until(() => came.length === 2, 'both came')
  assert.deepEqual(came, [['one', true], ['two', true]])
})

test('broadcast, fork and inform ask every server', async (t) => {
  const names = ['a', 'b']
  const servers = await Promise.all(names.map((name) => new Server().function('S', 'Name', () => name).listen('tcp@127.0.0.1:0')))
  const addresses = servers.map(({ addresses: [address] }) => address)
  const client = new Client([...addresses, 'tcp@127.0.0.1:1'], { timeout: 5000 })
  t.after(() => {
    client.close()
    for (const server of servers) server.close()
  })
  const service = client.service('S')
  const replies = await service.inform('Name')
  const byServer = new Map(replies.map(({ server, response, error }) => [server, response?.value ?? error.code]))
  assert.deepEqual(byServer, new Map([['tcp@127.0.0.1:1', 'RPCX_CONNECT'], [addresses[0], 'a'], [addresses[1], 'b']]))
  await assert.rejects(service.broadcast('Name'), { code: 'RPCX_CONNECT' })
  assert.ok(names.includes((await service.fork('Name')).value))
  client.setNodes(addresses)
  assert.ok(names.includes((await service.broadcast('Name')).value))
})

test('a batch ends when all its calls have, in their order', async (t) => {
  const { client } = await pair(t, { Arith })
  const calls = [1, 0, 3].map((B) => ({ service: 'Arith', method: 'Div', args: { A: 6, B } }))
  const results = await client.batch(calls)
  assert.deepEqual(results.map(({ value, reason }) => value?.value.C ?? reason.message), [6, 'divide by zero', 2])
})

test('pushes come in order, to one loop each, and end with the client', async (t) => {
  const Push = ({ Count }, ctx) => {
    for (let n = 0; n < Count; n++) ctx.push('S', 'Pushed', `text-${n}`, { n: String(n) })
  }
  const { client } = await pair(t, { S: { Push } })
  const pushes = client.pushes()
  await client.service('S').call('Push', { Count: 3 })
  const came = []
  for await (const push of pushes) {
    came.push([push.method, push.payload.toString(), push.metadata.n])
    if (came.length === 3) break
  }
  assert.deepEqual(came, [0, 1, 2].map((n) => ['Pushed', `text-${n}`, String(n)]))
  const rest = client.pushes().next()
  client.close()
  assert.deepEqual(await rest, { done: true, value: undefined })
})

test('a client interceptor sees each call once and may change or answer it', async (t) => {
  const { client } = await pair(t, { Arith })
  const seen = []
  client.use(async (call, next) => {
    seen.push(`${call.form} ${call.service}.${call.method}`)
    call.args = { ...call.args, B: 10 }
    return next(call)
  })
  const arith = client.service('Arith')
  assert.deepEqual(await arith.call('Mul', { A: 2, B: 1 }), { C: 20 })
  await arith.oneway('Mul', { A: 2, B: 1 })
  client.use(async () => {
    throw new RpcError('not now', { reason: 'overload.in_flight' })
  })
  await assert.rejects(arith.call('Mul', {}), { code: 'RPCX_OVERLOAD' })
  assert.deepEqual(seen, ['call Arith.Mul', 'oneway Arith.Mul', 'call Arith.Mul'])
})

test('a server interceptor runs around the handler, with decoded arguments', async (t) => {
  const order = []
  const prepare = (server) =>
    server
      .use(async (ctx, args, next) => {
        order.push(`outer ${ctx.service}.${ctx.method}`)
        const reply = await next({ ...args, B: 5 })
        return { ...reply, seen: true }
      })
      .use((_, args, next) => {
        order.push('inner')
        return next(args)
      })
  const { client } = await pair(t, { Arith }, { prepare })
  assert.deepEqual(await client.service('Arith').call('Mul', { A: 2, B: 1 }), { C: 10, seen: true })
  assert.deepEqual(order, ['outer Arith.Mul', 'inner'])
})

test('an authenticator lets pass or refuses, at its leisure', async (t) => {
  const prepare = (server) =>
    server.authenticator(async (token, { service, method, peer }) => {
      await sleep(1)
      assert.match(peer, /^127\.0\.0\.1:/)
      if (token !== 'secret') throw new Error(`no entry to ${service}.${method}`)
    })
  const { client, server } = await pair(t, { Arith }, { prepare, client: { auth: 'secret' } })
  assert.deepEqual(await client.service('Arith').call('Mul', { A: 6, B: 7 }), { C: 42 })
  const other = new Client(server.addresses[0], { auth: 'wrong' })
  t.after(() => other.close())
  await assert.rejects(other.service('Arith').call('Mul', {}), { code: 'RPCX_AUTH', message: 'no entry to Arith.Mul' })
})

test('aliases, raw handlers and the fallback', async (t) => {
  const prepare = (server) =>
    server
      .alias('Alias', 'Times', 'Arith', 'Mul')
      .raw('Raw', 'Twice', (payload) => Buffer.concat([payload, payload]))
      .fallback((payload, ctx) => `${ctx.service}.${ctx.method} ${ctx.serializeType} ${payload.length}`)
  const { client } = await pair(t, { Arith }, { prepare })
  assert.deepEqual(await client.service('Alias').call('Times', { A: 6, B: 7 }), { C: 42 })
  const raw = client.service('Raw', { serialize_type: 'raw' })
  assert.equal((await raw.call('Twice', Buffer.from('ab'))).toString(), 'abab')
  const text = await client.service('No', { raw: true, serialize_type: 'json' }).call('Where', Buffer.from('[]'))
  assert.equal(text.toString(), 'No.Where json 2')
})

test('services are objects, classes with what they inherit, and functions', async (t) => {
  class Base {
    Greet(name) {
      return `${this.greeting} ${name}`
    }
  }
  class Polite extends Base {
    greeting = 'good day'
    _hidden() {}
    async Bye(name) {
      return `bye ${name}`
    }
  }
  const { client } = await pair(t, { P: new Polite() })
  const service = client.service('P')
  assert.equal(await service.call('Greet', 'Ada'), 'good day Ada')
  assert.equal(await service.call('Bye', 'Ada'), 'bye Ada')
  await assert.rejects(service.call('_hidden'), { reason: 'service.unknown_method' })
})

test('blocking handlers are bounded, others are not', async (t) => {
  let release
  const gate = new Promise((resolve) => (release = resolve))
  const prepare = (server) => server.service('S', { Block: () => gate }, { blocking: ['Block'] })
  const { client } = await pair(t, {}, { prepare, server: { worker_threads: 1, worker_queue: 2 }, client: { fail_mode: 'failfast' } })
  const calls = Array.from({ length: 5 }, () => client.service('S').call('Block').catch(({ reason }) => reason))
  let refused = 0
  for (const call of calls) void call.then((result) => (refused += result === 'overload.server'))
  await until(() => refused === 2, 'two are refused')
  release('done')
  assert.deepEqual((await Promise.all(calls)).sort(), ['done', 'done', 'done', 'overload.server', 'overload.server'])
})

test('connections can be listed, pushed to and closed', async (t) => {
  const { client, server } = await pair(t, { Arith })
  await client.service('Arith').call('Mul', { A: 1, B: 1 })
  const [connection] = server.connections()
  assert.match(connection.peer, /^127\.0\.0\.1:\d+$/)
  const pushes = client.pushes()
  connection.push('S', 'News', Buffer.from('text'))
  assert.equal((await pushes.next()).value.method, 'News')
  connection.close()
  await until(() => !connection.isOpen, 'it has ended')
  assert.throws(() => connection.push('S', 'News', 'x'), RpcError)
})

test('statistics are counted on both sides', async (t) => {
  const { client, server } = await pair(t, { Arith })
  await client.service('Arith').call('Mul', { A: 1, B: 1 })
  assert.equal(client.stats().calls, 1)
  assert.equal(client.stats().connections.opened, 1)
  assert.match(client.metrics('main'), /rpcx_client_calls_total\{name="main"/)
  assert.match(server.metrics(), /rpcx_server/)
  assert.ok(server.stats())
})

test('large payloads and many calls at once', async (t) => {
  const { client } = await pair(t, { Echo: { Value: (value) => value } })
  const echo = client.service('Echo')
  const large = Buffer.alloc(5 << 20, 7)
  assert.ok(large.equals(await echo.call('Value', large)))
  const numbers = Array.from({ length: 5000 }, (_, i) => i)
  assert.deepEqual(await Promise.all(numbers.map((n) => echo.call('Value', n))), numbers)
})
