// Calls `Hello.Say` in a closed loop, with every default on, and prints what it measured.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'librpcx'
import { parse, refuse } from './args.js'
import { helloTypes, request } from './hello.js'

const USAGE = `\
usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]
                    [--flavor async]

Runs N callers in a closed loop over N connections, checks every reply, and prints one JSON line.
`

const args = parse(USAGE, ['addr', 'conns', 'concurrency', 'seconds', 'warmup', 'server-pid', 'flavor', 'peer'])
const addr = args.one('addr') ?? refuse('--addr HOST:PORT is missing', USAGE)
if ((args.one('flavor') ?? 'async') !== 'async') refuse('--flavor: Node has async only', USAGE)

function number(name, unset) {
  const value = Number(args.one(name) ?? unset)
  return value > 0 || (value === 0 && name === 'warmup') ? value : refuse(`--${name}: expected a number above 0`, USAGE)
}
const concurrency = number('concurrency', 1)
const connections = Math.min(number('conns', 1), concurrency)
const [seconds, warmup] = [number('seconds', 3), number('warmup', 0.7)]
const serverPid = args.one('server-pid')

/** The CPU time of the server so far, in microseconds: the clock of /proc has 100 ticks a second. */
function serverCpu() {
  if (serverPid === undefined) return undefined
  const stat = readFileSync(`/proc/${serverPid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 1e4
}

function peakMemory(pid) {
  if (pid === undefined) return null
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
}

const ownCpu = () => process.cpuUsage().user + process.cpuUsage().system

const message = request()
// A client has one connection to a server, so a client per connection.
const services = Array.from({ length: connections }, () =>
  new Client(`tcp@${addr}`).service('Hello', { types: helloTypes }),
)
const latencies = []
let [isMeasured, isOver, warm, errors, firstError] = [false, false, 0, 0, null]

async function caller(hello) {
  while (!isOver) {
    const began = process.hrtime.bigint()
    try {
      const reply = await hello.call('Say', message)
      if (reply.field1 !== 'OK' || reply.field2 !== 100) throw new Error('a reply without OK and 100')
    } catch (error) {
      errors++
      firstError ??= String(error)
      await sleep(5)
      continue
    }
    if (isMeasured) latencies.push(Number(process.hrtime.bigint() - began))
    else warm++
  }
}

for (let i = 0; i < concurrency; i++) void caller(services[i % connections])
await sleep(warmup * 1000)
const [cpu, server, began] = [ownCpu(), serverCpu(), process.hrtime.bigint()]
isMeasured = true
await sleep(seconds * 1000)
isMeasured = false
isOver = true
const took = Number(process.hrtime.bigint() - began) / 1e9
const [clientCpu, serverCpuNow] = [ownCpu() - cpu, serverCpu()]
const calls = latencies.length
latencies.sort((a, b) => a - b)
const quantile = (of) => (calls > 0 ? latencies[Math.min(calls - 1, Math.floor(of * calls))] / 1e3 : null)
console.log(
  JSON.stringify({
    calls,
    total_calls: calls + warm,
    errors,
    first_error: firstError,
    throughput: calls / took,
    mean_us: latencies.reduce((sum, latency) => sum + latency, 0) / Math.max(calls, 1) / 1e3,
    p50_us: quantile(0.5),
    p99_us: quantile(0.99),
    p999_us: quantile(0.999),
    client_cpu_us_per_call: clientCpu / Math.max(calls, 1),
    server_cpu_us_per_call: server === undefined ? null : (serverCpuNow - server) / Math.max(calls, 1),
    client_rss_mib: peakMemory('self'),
    server_rss_mib: peakMemory(serverPid),
  }),
)
process.exit(calls > 0 ? 0 : 1)
