// The interop driver: reads commands, one JSON object a line, and answers each with a line of the same id.

import { createInterface } from 'node:readline'
import { RpcError, json } from 'librpcx'
import { parse } from '../args.js'
import { Clients } from './clients.js'
import { begin } from './command.js'
import { Fields, isObject, misuse } from './fields.js'
import { failure } from './show.js'

const USAGE = `\
usage: client

Drives the interop test services. Reads commands from stdin, one JSON object a line, and answers each on stdout with a line
of the same id:

  {"id":1,"do":"client","name":"c","discovery":"tcp@127.0.0.1:8972"}
  {"id":2,"do":"call","client":"c","service":"Arith","method":"Mul","args":{"A":6,"B":7}}

do: client update call oneway oneshot batch broadcast fork inform burst cancel pushes stats shutdown close sleep. At the end
of input every client is closed.
`

parse(USAGE, [])

const clients = new Clients()
/** The running commands by id, each with what cancels it. */
const cancels = new Map()
const running = new Set()

/** What a command answers whose signal was aborted. Nobody tells how often it was tried: once, as most are. */
const cancelled = () => new RpcError('the command was cancelled', { reason: 'cancelled.caller', delivery: 'maybe_run', attempts: 1 })

// The library's own JSON: it writes every number so that it reads back as the same one.
const print = (id, answer) => process.stdout.write(`${json.encode({ id, ...answer })}\n`)

async function go(id, work) {
  const abort = new AbortController()
  const key = JSON.stringify(id)
  cancels.set(key, abort)
  let answer
  try {
    answer = await work(abort.signal)
  } catch (error) {
    answer = failure(abort.signal.aborted ? cancelled() : error)
  }
  if (cancels.get(key) === abort) cancels.delete(key)
  print(id, answer)
}

/** Obeys one command; what takes time goes on beside the next line. */
async function obey(line) {
  let fields
  try {
    fields = json.decode(Buffer.from(line))
  } catch {
    fields = undefined
  }
  if (!isObject(fields)) return print(null, failure(misuse('a command is a JSON object on one line')))
  const { id = null, wait = false, ...rest } = fields
  try {
    if (typeof wait !== 'boolean') throw misuse(`wait: ${JSON.stringify(wait)} is neither true nor false`)
    if (wait) await Promise.all(running)
    const begun = begin(clients, cancels, new Fields(rest))
    if (typeof begun !== 'function') return print(id, begun)
    const work = go(id, begun)
    running.add(work)
    void work.finally(() => running.delete(work))
  } catch (error) {
    print(id, failure(error))
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (line.trim() !== '') await obey(line)
}
clients.closeAll()
await Promise.all(running)
process.exit(0)
