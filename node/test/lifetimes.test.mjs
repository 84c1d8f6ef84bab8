// What is held and let go: use after close, close in the middle, collection, ends of processes and workers.

import assert from 'node:assert/strict'
import test from 'node:test'
import { Worker } from 'node:worker_threads'
import { Client } from 'librpcx'
import { bridge, pair, run, until, waiting } from './support.mjs'

const forever = () => new Promise(() => {})
const held = () => bridge.held().reduce((sum, count) => sum + count, 0)

test('calls under way end with close, later ones fail at once, and so again', async (t) => {
  const { client } = await pair(t, { S: { Wait: forever } }, { client: { timeout: 0 } })
  const service = client.service('S')
  const calls = Array.from({ length: 50 }, () => service.call('Wait'))
  setImmediate(() => client.close())
  for (const result of await Promise.allSettled(calls)) assert.equal(result.reason.code, 'RPCX_CLOSED')
  client.close()
  assert.ok(client.closed)
  await assert.rejects(service.call('Wait'), { code: 'RPCX_CLOSED', delivery: 'not_sent' })
  await assert.rejects(client.service('S').call('Wait'), { code: 'RPCX_CLOSED', delivery: 'not_sent' })
  assert.deepEqual(await client.pushes().next(), { done: true, value: undefined })
  await client.shutdown()
})

test('shutdown of a client waits for its calls, at most so long', async (t) => {
  let release
  const gate = new Promise((resolve) => (release = resolve))
  const { client, server } = await pair(t, { S: { Wait: () => gate, Forever: forever } }, { client: { timeout: 0 } })
  const call = client.service('S').call('Wait')
  const ended = client.shutdown()
  release('done')
  assert.equal(await call, 'done')
  await ended
  const other = new Client(server.addresses[0], { timeout: 0 })
  const cut = assert.rejects(other.service('S').call('Forever'), { code: 'RPCX_CLOSED' })
  await assert.rejects(other.shutdown(50), { code: 'RPCX_TIMEOUT' })
  await cut
})

test('shutdown of a client loses none of the calls that were made before it', async (t) => {
  const { server } = await pair(t, { S: { Ping: (n) => n } })
  for (let round = 0; round < 20; round++) {
    const client = new Client(server.addresses[0])
    const service = client.service('S')
    await service.call('Ping', 0)
    const calls = Array.from({ length: 200 }, (_, n) => service.call('Ping', n))
    // In the same turn, or right after it.
    if (round % 2 === 1) await new Promise(process.nextTick)
    const ended = client.shutdown()
    assert.deepEqual(await Promise.all(calls), Array.from({ length: 200 }, (_, n) => n))
    await ended
  }
})

test('shutdown of a server loses no request that it has accepted', async (t) => {
  let release
  const gate = new Promise((resolve) => (release = resolve))
  let begun
  const started = new Promise((resolve) => (begun = resolve))
  const Wait = () => {
    begun()
    return gate
  }
  const { client, server } = await pair(t, { S: { Wait } })
  const call = client.service('S').call('Wait')
  await started
  const ended = server.shutdown()
  release('done')
  assert.equal(await call, 'done')
  await ended
  await server.closed()
  await server.shutdown()
  server.close()
})

test('a server can be closed while handlers run', async (t) => {
  const { client, server } = await pair(t, { S: { Wait: forever } }, { client: { retries: 0, timeout: 10_000 } })
  const call = client.service('S').call('Wait')
  await until(() => server.stats() && server.connections().length === 1, 'the call is there')
  server.close()
  await assert.rejects(call, { code: /RPCX_(CLOSED|SHUTTING_DOWN)/ })
  await server.closed()
})

test('what a closed and forgotten client held is let go', async (t) => {
  const { server } = await pair(t, { S: { Ping: () => 'pong' } })
  global.gc()
  await until(() => waiting() <= 1, 'earlier tickets have ended')
  const before = held()
  for (let round = 0; round < 20; round++) {
    const client = new Client(server.addresses[0])
    assert.equal(await client.service('S').call('Ping'), 'pong')
    if (round % 2 === 0) client.close()
    else client.unref()
  }
  await until(() => {
    global.gc()
    // The last one or two may still be on the stack.
    return held() <= before + 4
  }, 'clients are collected, closed or not')
})

test('a client with a call under way is not collected', async (t) => {
  let release
  const gate = new Promise((resolve) => (release = resolve))
  const { server } = await pair(t, { S: { Wait: () => gate } })
  const call = new Client(server.addresses[0], { timeout: 0 }).service('S').call('Wait')
  for (let round = 0; round < 5; round++) {
    global.gc()
    await new Promise(setImmediate)
  }
  release('done')
  assert.equal(await call, 'done')
})

test('many calls leave nothing behind', async (t) => {
  const { client } = await pair(t, { S: { Ping: (n) => n } })
  const service = client.service('S')
  const round = async () => {
    for (let i = 0; i < 20; i++) {
      const signal = new AbortController().signal
      await Promise.all(Array.from({ length: 200 }, (_, n) => service.call('Ping', n, n % 10 === 0 ? { signal } : undefined)))
    }
    global.gc()
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    return heapUsed + external + arrayBuffers
  }
  const [tickets, held] = [waiting(), bridge.held().slice(3, 6)]
  await round()
  const before = await round()
  await round()
  const after = await round()
  assert.ok(after < before + (2 << 20), `${before} bytes have become ${after}`)
  assert.equal(waiting(), tickets)
  assert.deepEqual(bridge.held().slice(3, 6), held)
})

test('an exception in a callback reaches the caller or the loop, never the library', async (t) => {
  const { client } = await pair(t, { S: { Ping: () => 'pong' } })
  const bad = { request: { encode: () => { throw new Error('no') } , decode: () => 0 }, reply: { encode: () => 0, decode: () => 0 } }
  const service = client.service('S', { types: { Ping: bad } })
  await assert.rejects(service.call('Ping', 1), { code: 'RPCX_CODEC', message: 'no', delivery: 'not_sent' })
  const getter = { get a() { throw new TypeError('from a getter') } }
  await assert.rejects(client.service('S').call('Ping', getter), TypeError)
  assert.equal(await client.service('S').call('Ping'), 'pong')
})

const PRELUDE = `
  import { Client, Server } from 'librpcx'
  const server = new Server().function('S', 'Ping', () => 'pong').function('S', 'Wait', () => new Promise(() => {}))
  await server.listen('tcp@127.0.0.1:0')
  const client = new Client(server.addresses[0], { timeout: 0 })
  const service = client.service('S')
  console.log(await service.call('Ping'))
`

test('a process ends when its clients and servers are closed', async () => {
  const { code, stdout, stderr } = await run(`${PRELUDE}; client.close(); server.close(); console.log('last')`)
  assert.deepEqual([code, stdout], [0, 'pong\nlast\n'], stderr)
})

test('a process ends when they are unreferenced, calls under way or not', async () => {
  const text = `${PRELUDE}; client.unref(); server.unref(); service.call('Wait').catch(() => {}); console.log('last')`
  const { code, stdout, stderr } = await run(text)
  assert.deepEqual([code, stdout], [0, 'pong\nlast\n'], stderr)
})

test('a process goes on while one is open', async () => {
  const text = `${PRELUDE}; server.unref(); setTimeout(() => { console.log('later'); client.close() }, 300).unref()`
  const { code, stdout, stderr } = await run(text)
  assert.deepEqual([code, stdout], [0, 'pong\nlater\n'], stderr)
})

test('a process may exit at any time: without close, in the middle of calls', async () => {
  for (const end of ['process.exit(7)', 'setImmediate(() => process.exit(7))', 'process.nextTick(() => process.exit(7))']) {
    const calls = "for (let i = 0; i < 500; i++) { service.call('Wait').catch(() => {}); service.call('Ping').catch(() => {}) }"
    const { code, signal, stderr } = await run(`${PRELUDE}; ${calls}; ${end}; setInterval(() => {}, 1000)`)
    assert.deepEqual([code, signal], [7, null], stderr)
  }
})

test('calls that close ends are told before the process does', async () => {
  const text = `${PRELUDE}; server.unref(); service.call('Wait').catch(({ code }) => console.log(code)); setImmediate(() => client.close())`
  const { code, stdout, stderr } = await run(text)
  assert.deepEqual([code, stdout], [0, 'pong\nRPCX_CLOSED\n'], stderr)
})

test('workers have clients and servers of their own, and end in the middle of calls', async (t) => {
  const { server } = await pair(t, { S: { Ping: () => 'pong', Wait: forever } })
  const text = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Client, Server } = require('librpcx')
    const own = new Server().function('W', 'Hi', (name) => 'hi ' + name)
    own.listen('tcp@127.0.0.1:0').then(async () => {
      const client = new Client(workerData, { timeout: 0 })
      const pong = await client.service('S').call('Ping')
      const hi = await new Client(own.addresses[0]).service('W').call('Hi', 'worker')
      for (let i = 0; i < 100; i++) client.service('S').call('Wait').catch(() => {})
      parentPort.postMessage([pong, hi])
    })`
  for (let round = 0; round < 3; round++) {
    const workers = Array.from({ length: 2 }, () => new Worker(text, { eval: true, workerData: server.addresses[0] }))
    const messages = workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)))
    assert.deepEqual(await Promise.all(messages), workers.map(() => ['pong', 'hi worker']))
    assert.deepEqual(await Promise.all(workers.map((worker) => worker.terminate())), workers.map(() => 1))
  }
  await until(() => server.connections().length === 0, 'their connections have ended')
})

test('a worker that closes its client ends by itself', async (t) => {
  const { server } = await pair(t, { S: { Ping: () => 'pong' } })
  const text = `
    const { workerData } = require('node:worker_threads')
    const { Client } = require('librpcx')
    const client = new Client(workerData)
    client.service('S').call('Ping').then(() => client.close())`
  const worker = new Worker(text, { eval: true, workerData: server.addresses[0] })
  assert.equal(await new Promise((resolve) => worker.once('exit', resolve)), 0)
})
