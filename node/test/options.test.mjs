// The types of options, against the library's tables, and options on their way.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import process from 'node:process'
import test from 'node:test'
import { Client, Server } from 'librpcx'
import { PACKAGE } from './support.mjs'

test('src/options.ts is what the tables make', () => {
  execFileSync(process.execPath, ['scripts/options.mjs', '--check'], { cwd: PACKAGE })
})

test('an unknown option is refused by name, with the nearest one', () => {
  assert.throws(() => new Client([], { timeot: 1 }), { code: 'RPCX_CONFIG', reason: 'config.unknown_option', message: /timeout/ })
})

test('values are numbers, texts, lists and groups', () => {
  new Client([], {
    timeout: 1500,
    heartbeat_interval: '15s',
    max_message_size: '1MiB',
    propagate_metadata: ['traceparent', 'tenant'],
    breaker: { enabled: true, window: 5000, ratio: 0.25 },
    sticky: true,
  }).close()
  assert.throws(() => new Client([], { timeout: -5 }), { reason: 'config.bad_value' })
  assert.throws(() => new Client([], { breaker: { windw: 1 } }), { reason: 'config.unknown_option' })
  assert.throws(() => new Client([], { timeout: () => {} }), { reason: 'config.bad_value' })
})

test('a server tells mistakes when it listens', async () => {
  await assert.rejects(new Server({ nonsense: 1 }).listen('tcp@127.0.0.1:0'), { reason: 'config.unknown_option' })
  await assert.rejects(new Server().listen('bad@nowhere:0'), { code: 'RPCX_CONFIG' })
})

test('a call tells them before anything is sent', async (t) => {
  const client = new Client(['tcp@127.0.0.1:1'])
  t.after(() => client.close())
  const arith = client.service('Arith')
  const refused = (options, reason) => assert.rejects(arith.call('Mul', {}, options), { reason, delivery: 'not_sent' })
  await refused({ retrys: 1 }, 'config.unknown_option')
  await refused({ timeout: 0.2 }, 'config.bad_value')
  await refused({ serialize_type: 'xml' }, 'config.bad_value')
  await refused({ metadata: { n: 1 } }, 'config.bad_argument')
})
