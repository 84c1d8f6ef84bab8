// Many calls, summed up.

import { RpcError } from 'librpcx'
import { calculate } from '../arith.js'
import { misuse } from './fields.js'
import { dynamic } from './show.js'

/** What stands for the number of the call in its arguments. */
const INDEX = '$i'

/** The arguments with the call's number in them. */
export function numbered(args, index) {
  if (args === INDEX) return index
  if (typeof args === 'string') return args.replaceAll(INDEX, String(index))
  if (Array.isArray(args)) return args.map((item) => numbered(item, index))
  if (typeof args !== 'object' || args === null) return args
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, numbered(value, index)]))
}

/** What `Arith` must answer, where it is known. */
function expected({ service, method, reply }, args) {
  const run = service === 'Arith' && reply === 'value' && typeof args === 'object' && args ? calculate[method] : undefined
  if (run === undefined || (method === 'Div' && BigInt(args.B ?? 0) === 0n)) return undefined
  return dynamic(run(args.A ?? 0, args.B ?? 0))
}

export function atLeastOne(fields, name) {
  const count = fields.count(name) ?? 1
  if (count === 0) throw misuse(`${name}: 0 is too few`)
  return count
}

/** Makes `count` calls, `concurrency` at a time. */
export async function burst(command, named, count, concurrency, signal) {
  const { args } = command.payload
  const errors = {}
  const servers = {}
  const took = []
  let [wrong, next] = [0, 0]
  const isSame = JSON.stringify(numbered(args, 0)) === JSON.stringify(args)
  const same = isSame ? command.prepare(named) : undefined
  const one = async (index) => {
    const own = isSame ? args : numbered(args, index)
    const began = performance.now()
    try {
      const prepared = same ?? command.prepare(named, own)
      const { reply, server } = prepared.show(await prepared.make('callWith', signal))
      servers[server] = (servers[server] ?? 0) + 1
      const right = expected(command, own)
      if (right !== undefined && reply.C !== right) wrong++
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      errors[error.kind] = (errors[error.kind] ?? 0) + 1
    }
    took.push(performance.now() - began)
  }
  const began = performance.now()
  const caller = async () => {
    while (next < count) await one(next++)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, caller))
  const seconds = (performance.now() - began) / 1000
  took.sort((a, b) => a - b)
  const quantile = (of) => Math.round(took[Math.floor(of * (took.length - 1))] * 1000) / 1000
  return {
    ok: true,
    count,
    errors,
    wrong,
    servers,
    calls_per_s: count / Math.max(seconds, 1e-9),
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
  }
}
