// The error table, against the one that all languages share.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { ERROR_KINDS, RpcError } from 'librpcx'

const table = JSON.parse(readFileSync(new URL('../../tests/vectors/errors.json', import.meta.url), 'utf8'))

test('kinds have the numbers of the table', () => {
  assert.deepEqual(Object.fromEntries(table.kinds.map(({ kind, code }) => [kind, code])), { ...ERROR_KINDS })
})

test('each reason makes an error of its kind', () => {
  for (const { reason, kind, code } of table.reasons) {
    const error = new RpcError('text', { reason })
    assert.deepEqual([error.kind, error.number, error.code], [kind, code, `RPCX_${kind.toUpperCase()}`])
  }
})

test('an error without a reason is the own word of a service', () => {
  const error = new RpcError('divide by zero')
  assert.deepEqual([error.code, error.reason, error.delivery], ['RPCX_SERVICE', 'service.error', 'answered'])
  assert.ok(error instanceof Error)
  assert.equal(String(error), 'RpcError: divide by zero')
})

test('a cause is kept', () => {
  const cause = new Error('inner')
  assert.equal(new RpcError('outer', { reason: 'codec.encode', cause }).cause, cause)
})
