// What the tests share: a server with a client, waiting for a condition, programs in processes of their own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, Server } from 'librpcx'

/** The native bridge of this environment, to count what it holds. */
export const { bridge, waiting } = createRequire(import.meta.url)('../dist/bridge.js')

/** The package's folder. */
export const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** A server of `services` by name, and a client of it; both end with the test. */
export async function pair(t, services, { server: serverOptions, client: clientOptions, prepare } = {}) {
  const server = new Server(serverOptions)
  for (const [name, service] of Object.entries(services)) server.service(name, service)
  prepare?.(server)
  await server.listen('tcp@127.0.0.1:0')
  const client = new Client(server.addresses[0], { connect_timeout: 10_000, ...clientOptions })
  t.after(async () => {
    client.close()
    await server.shutdown()
  })
  return { server, client }
}

/** Waits until `condition` gives something true, at most ten seconds. */
export async function until(condition, what) {
  const end = performance.now() + 10_000
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > end) throw new Error(`not within ten seconds: ${what}`)
    await sleep(5)
  }
}

/** Runs a module's text in a process of its own; its exit code, signal and output. It must end within 20 seconds. */
export async function run(text, { args = [] } = {}) {
  const flags = ['--expose-gc', ...args, '--input-type=module', '--eval', text]
  const child = spawn(process.execPath, flags, { cwd: PACKAGE, timeout: 20_000, killSignal: 'SIGKILL' })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => (output[name] += data))
  const [code, signal] = await once(child, 'close')
  return { code, signal, ...output }
}
