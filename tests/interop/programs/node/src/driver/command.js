// What each command does. Those that must be done before the next line are; the others give the work that is left.

import { setTimeout as sleep } from 'node:timers/promises'
import { atLeastOne, burst, numbered } from './burst.js'
import { CallCommand } from './call.js'
import { Fields, misuse } from './fields.js'
import * as show from './show.js'

/** How long `shutdown` waits for running calls when the case does not say. */
const PATIENCE = 10_000
const OK = { ok: true }

const attempt = (body) => {
  try {
    return body()
  } catch (error) {
    return show.failure(error)
  }
}

function call(form, clients, fields) {
  const named = clients.of(fields)
  const command = new CallCommand(fields)
  fields.done()
  const prepared = command.prepare(named)
  return async (signal) => {
    const began = performance.now()
    const outcome = await prepared.make(form === 'call' ? 'callWith' : form, signal)
    if (form === 'oneway' || form === 'oneshot') return OK
    if (form !== 'inform') return show.response(prepared.show(outcome), began)
    const one = ({ server, response, error }) => {
      if (response) return attempt(() => show.response(prepared.show(response), began))
      const failed = show.failure(error)
      failed.error.server ??= server
      return failed
    }
    return { ok: true, replies: outcome.map(one) }
  }
}

function batch(clients, fields) {
  const named = clients.of(fields)
  const calls = fields.take('calls')
  if (!Array.isArray(calls)) throw misuse('calls: expected a list of calls')
  fields.done()
  const all = calls.map((given) => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw misuse(`calls: ${JSON.stringify(given)} is no object`)
    const inner = new Fields(given)
    const command = new CallCommand(inner)
    inner.done()
    return command.prepare(named)
  })
  return async (signal) => {
    const began = performance.now()
    const results = await named.client.batch(all.map((prepared) => prepared.inBatch(signal)))
    const replies = results.map(({ value, reason }, at) =>
      value ? attempt(() => show.response(all[at].show(value), began)) : show.failure(reason),
    )
    return { ok: true, replies }
  }
}

function many(clients, fields) {
  const named = clients.of(fields)
  const [count, concurrency] = [atLeastOne(fields, 'count'), atLeastOne(fields, 'concurrency')]
  const command = new CallCommand(fields)
  fields.done()
  // Arguments that do not fit are refused before the first call.
  command.prepare(named, numbered(command.payload.args, 0))
  return (signal) => burst(command, named, count, concurrency, signal)
}

function pushes(clients, fields) {
  const { client } = clients.of(fields)
  const count = fields.count('count') ?? 1
  const timeout = fields.millis('timeout')
  fields.done()
  const reader = client.pushes()
  return async () => {
    const timer = timeout === undefined ? undefined : setTimeout(() => reader.return(), timeout)
    const came = []
    while (came.length < count) {
      const { value, done } = await reader.next()
      if (done) break
      const { service, method, metadata, payload } = value
      came.push({ service, method, metadata: show.metadata(metadata), hex: payload.toString('hex') })
    }
    clearTimeout(timer)
    return { ok: true, pushes: came }
  }
}

function end(name, clients, fields) {
  const { client } = clients.of(fields)
  const timeout = fields.millis('timeout') ?? PATIENCE
  fields.done()
  return async () => {
    if (name === 'close' || timeout === 0) client.close()
    // Calls that it cuts off say so themselves.
    else await client.shutdown(timeout).catch(() => {})
    return OK
  }
}

/** Begins a command: its answer, or what takes time and can be cancelled by a signal. */
export function begin(clients, cancels, fields) {
  const name = fields.text('do')
  switch (name) {
    case 'client':
      clients.make(fields)
      return OK
    case 'update':
      clients.update(fields)
      return OK
    case 'cancel': {
      const id = JSON.stringify(fields.required('call'))
      fields.done()
      const abort = cancels.get(id)
      if (abort === undefined) throw misuse(`call: ${id} does not run`)
      abort.abort()
      return OK
    }
    case 'call':
    case 'oneway':
    case 'oneshot':
    case 'broadcast':
    case 'fork':
    case 'inform':
      return call(name, clients, fields)
    case 'batch':
      return batch(clients, fields)
    case 'burst':
      return many(clients, fields)
    case 'pushes':
      return pushes(clients, fields)
    case 'stats': {
      const { client } = clients.of(fields)
      fields.done()
      return { ok: true, stats: client.stats() }
    }
    case 'shutdown':
    case 'close':
      return end(name, clients, fields)
    case 'sleep': {
      const ms = fields.millis('ms')
      if (ms === undefined) throw misuse('ms is missing')
      fields.done()
      return async (signal) => {
        await sleep(ms, undefined, { signal })
        return OK
      }
    }
    default:
      throw misuse(`unknown command ${JSON.stringify(name)}`)
  }
}
