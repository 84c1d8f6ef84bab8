// What must not grow: requests whose handlers never settle, pushes that nobody reads.

import assert from 'node:assert/strict'
import test from 'node:test'
import { Worker } from 'node:worker_threads'
import { Client, RpcError, Server } from 'librpcx'
import { bridge, pair, until } from './support.mjs'

/** Requests, and tokens, that the native part holds. */
const requests = () => bridge.held()[3]

/** A server whose method never settles, and how many of its handlers have begun. */
async function stuck(t, options) {
  const state = { begun: 0 }
  const Never = () => {
    state.begun++
    return new Promise(() => {})
  }
  return { state, ...(await pair(t, { S: { Never } }, options)) }
}

test('a handler that never settles loses its request at the deadline', async (t) => {
  const { client, state } = await stuck(t)
  const service = client.service('S')
  const calls = Array.from({ length: 20 }, () => service.call('Never', Buffer.alloc(1000), { timeout: 200, retries: 0 }))
  await until(() => state.begun === 20 && requests() === 20, 'they are under way')
  for (const result of await Promise.allSettled(calls)) assert.equal(result.reason.code, 'RPCX_TIMEOUT')
  await until(() => requests() === 0, 'their requests are let go')
})

test('a handler that never settles loses its request when it is cancelled', async (t) => {
  const { client, state } = await stuck(t, { client: { timeout: 0 } })
  const abort = new AbortController()
  const call = client.service('S').call('Never', null, { signal: abort.signal })
  await until(() => state.begun === 1 && requests() === 1, 'it is under way')
  abort.abort()
  await assert.rejects(call, { name: 'AbortError' })
  await until(() => requests() === 0, 'its request is let go')
})

test('a handler that never settles loses its request with the connection, and with the server', async (t) => {
  const { client, server, state } = await stuck(t, { client: { timeout: 0, retries: 0 } })
  const first = assert.rejects(client.service('S').call('Never'), RpcError)
  await until(() => state.begun === 1 && requests() === 1, 'one is under way')
  server.connections()[0].close()
  await first
  await until(() => requests() === 0, 'its request is let go')

  const other = new Client(server.addresses[0], { timeout: 0, retries: 0 })
  t.after(() => other.close())
  const second = assert.rejects(other.service('S').call('Never'), RpcError)
  await until(() => state.begun === 2 && requests() === 1, 'another is under way')
  server.close()
  await second
  await until(() => requests() === 0, 'its request is let go')
})

test('a shutdown that such a handler holds up ends with its patience', async (t) => {
  const { client, server, state } = await stuck(t, { client: { timeout: 0, retries: 0 } })
  const call = assert.rejects(client.service('S').call('Never'), RpcError)
  await until(() => state.begun === 1, 'it is under way')
  await assert.rejects(server.shutdown({ timeout: 50 }), { code: 'RPCX_TIMEOUT' })
  await call
  await until(() => requests() === 0, 'its request is let go')
})

test('who looks at the signal of a request that has gone finds it aborted', async (t) => {
  let late
  const gone = new Promise((resolve) => (late = resolve))
  const Late = async (_, ctx) => {
    await until(() => requests() === 0, 'the request is let go')
    late(ctx.signal)
  }
  const { client } = await pair(t, { S: { Late } })
  await assert.rejects(client.service('S').call('Late', null, { timeout: 50, retries: 0 }), { code: 'RPCX_TIMEOUT' })
  const signal = await gone
  assert.ok(signal.aborted)
  assert.equal(signal.reason.reason, 'cancelled.server')
})

test('an authenticator that never settles loses its request at auth_timeout', async (t) => {
  let asked = 0
  const never = () => {
    asked++
    return new Promise(() => {})
  }
  const prepare = (server) => server.authenticator(never)
  const { client } = await pair(t, { S: { Ping: () => 'pong' } }, { prepare, server: { auth_timeout: 100 } })
  await assert.rejects(client.service('S').call('Ping', null, { timeout: 5000, retries: 0 }), { code: 'RPCX_AUTH' })
  assert.ok(asked > 0)
  await until(() => requests() === 0, 'its request is let go')
})

/** Pushes `count` numbers, as many at a time as the server lets wait. */
async function pushAll(connection, count) {
  for (let n = 0; n < count; n++) {
    await until(() => {
      try {
        connection.push('S', 'Number', String(n))
        return true
      } catch (error) {
        if (error.code === 'RPCX_LIMIT') return false
        throw error
      }
    }, `push ${n} finds room`)
  }
}

test('with push_overflow block a slow reader loses nothing, and little waits for it', { timeout: 30_000 }, async (t) => {
  const COUNT = 600
  const prepare = (server) => server.function('S', 'Start', (_, ctx) => void pushAll(ctx.connection, COUNT))
  const options = { client: { push_queue: 8, push_overflow: 'block' }, server: { push_queue: 8 }, prepare }
  const { client } = await pair(t, {}, options)
  const pushes = client.pushes()
  await client.service('S').call('Start')
  const came = []
  for await (const push of pushes) {
    came.push(Number(push.payload))
    if (came.length % 50 === 0) await new Promise(setImmediate)
    if (came.length === COUNT) break
  }
  assert.deepEqual(came, Array.from({ length: COUNT }, (_, n) => n))
  assert.equal(client.stats().pushes.dropped, 0)
})

test('what a reader that is away leaves is dropped in the client, and counted', { timeout: 30_000 }, async (t) => {
  const COUNT = 5000
  const text = `
    const { parentPort } = require('node:worker_threads')
    const { Server } = require('librpcx')
    const server = new Server({ push_queue: ${COUNT} })
    server.function('S', 'Start', (_, ctx) => {
      for (let n = 0; n < ${COUNT}; n++) ctx.push('S', 'Number', String(n))
    })
    server.listen('tcp@127.0.0.1:0').then(() => parentPort.postMessage(server.addresses[0]))`
  const worker = new Worker(text, { eval: true })
  t.after(() => worker.terminate())
  const address = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const client = new Client(address, { push_queue: 100, push_overflow: 'drop_oldest' })
  t.after(() => client.close())
  const pushes = client.pushes()
  const call = client.service('S').call('Start')
  // Nothing of JavaScript runs here meanwhile, as in a long computation.
  const wait = new Int32Array(new SharedArrayBuffer(4))
  const end = performance.now() + 10_000
  await new Promise(setImmediate)
  while (client.stats().pushes.count < COUNT && performance.now() < end) Atomics.wait(wait, 0, 0, 5)
  assert.equal(client.stats().pushes.count, COUNT)
  await call
  const came = []
  do came.push(Number((await pushes.next()).value.payload))
  while (came.at(-1) !== COUNT - 1)
  const { dropped } = client.stats().pushes
  assert.equal(dropped, COUNT - came.length)
  assert.ok(came.length <= 100 + 2 * 64, `${came.length} waited`)
  assert.deepEqual(came, came.toSorted?.((a, b) => a - b) ?? came)
})

test('a loop reads what waited when its client was closed, and ends', { timeout: 30_000 }, async (t) => {
  const prepare = (server) => {
    server.function('S', 'Start', (_, ctx) => {
      for (let n = 0; n < 300; n++) ctx.push('S', 'Number', String(n))
    })
  }
  const { client } = await pair(t, {}, { prepare })
  const pushes = client.pushes()
  await client.service('S').call('Start')
  await until(() => client.stats().pushes.count === 300, 'they came')
  client.close()
  const came = []
  for await (const push of pushes) came.push(Number(push.payload))
  assert.deepEqual(came, Array.from({ length: 300 }, (_, n) => n))
})
