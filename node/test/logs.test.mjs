// The library's log events on the diagnostics channel.

import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'node:test'
import { publishLogs } from 'librpcx'
import { pair, run, until } from './support.mjs'

test('events reach the diagnostics channel, of the level that was asked for and above', async (t) => {
  const events = []
  const listener = (event, name) => events.push({ name, ...event })
  subscribe('rpcx:log', listener)
  t.after(() => unsubscribe('rpcx:log', listener))
  const { client } = await pair(t, { S: { Ping: () => 'pong' } }, { client: { slow_call: '1us' } })
  await client.service('S').call('Ping')
  assert.deepEqual(events, [], 'nothing is published until it is asked for')

  publishLogs('warn')
  await client.service('S').call('Ping')
  const slow = await until(() => events.find(({ target }) => target === 'rpcx::slow'), 'the slow call is told')
  assert.deepEqual([slow.name, slow.level], ['rpcx:log', 'warn'])
  assert.match(slow.message, /S.*Ping/)
  assert.ok(events.every(({ level }) => level === 'warn' || level === 'error'))

  publishLogs('error')
  events.length = 0
  await client.service('S').call('Ping')
  assert.equal(await client.service('S').call('Ping'), 'pong')
  assert.deepEqual(events, [])
})

test('what a subscriber throws ends neither the library nor the call', async () => {
  const text = `
    import { subscribe } from 'node:diagnostics_channel'
    import { Client, Server, publishLogs } from 'librpcx'
    process.on('uncaughtException', ({ message }) => console.log(message))
    subscribe('rpcx:log', () => { throw new Error('from a subscriber') })
    publishLogs('warn')
    const server = await new Server().function('S', 'Ping', () => 'pong').listen('tcp@127.0.0.1:0')
    const client = new Client(server.addresses[0], { slow_call: '1us' })
    console.log(await client.service('S').call('Ping'))
    setTimeout(async () => {
      console.log(await client.service('S').call('Ping'))
      client.close()
      server.close()
    }, 50)`
  const { code, stdout, stderr } = await run(text)
  const lines = stdout.split('\n')
  assert.equal(code, 0, stderr)
  assert.deepEqual(lines.filter((line) => line === 'pong').length, 2)
  assert.ok(lines.includes('from a subscriber'))
})
