// The package of `make package` in clean folders, as a user has it: CommonJS, ES modules, TypeScript. No compiler of Rust is
// needed.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import test, { after } from 'node:test'
import { PACKAGE } from '../support.mjs'

const folder = mkdtempSync(path.join(tmpdir(), 'librpcx-install-'))
const packages = path.resolve(PACKAGE, '..', process.env.RPCX_PACKAGES ?? 'dist')
const tarballs = readdirSync(packages).filter((name) => name.endsWith('.tgz')).map((name) => path.join(packages, name))
after(() => rmSync(folder, { recursive: true }))

/** A project with the package installed from its tarballs, and files of its own. */
function project(name, manifest, files) {
  const at = mkdtempSync(path.join(folder, `${name}-`))
  writeFileSync(path.join(at, 'package.json'), JSON.stringify({ name, private: true, ...manifest }))
  const flags = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  execFileSync('npm', ['install', ...flags, ...tarballs], { cwd: at })
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(at, file), text)
  return at
}

const node = (at, ...args) => execFileSync(process.execPath, args, { cwd: at, encoding: 'utf8', timeout: 20_000 })

const PROGRAM = `
async function main() {
  const server = new Server().service('Arith', { Mul: ({ A, B }) => ({ C: A * B }) })
  await server.listen('tcp@127.0.0.1:0')
  const client = new Client(server.addresses[0])
  console.log((await client.service('Arith').call('Mul', { A: 6, B: 7 })).C)
  client.close()
  await server.shutdown()
}
main()
`

test('from CommonJS', () => {
  const at = project('cjs', {}, { 'main.js': `const { Client, Server } = require('librpcx')\n${PROGRAM}` })
  assert.equal(node(at, 'main.js'), '42\n')
})

test('from an ES module, which shares its classes with CommonJS', () => {
  const same = `
    import { createRequire } from 'node:module'
    import { Client, Server, RpcError } from 'librpcx'
    if (createRequire(import.meta.url)('librpcx').RpcError !== RpcError) throw new Error('two of them')`
  const at = project('esm', { type: 'module' }, { 'main.js': `${same}\n${PROGRAM}` })
  assert.equal(node(at, 'main.js'), '42\n')
})

test('from TypeScript, strictly, as either kind of module', () => {
  const source = `
    import { Client, RpcError, Server, type CallOptions, type Handler } from 'librpcx'
    interface Arith { Mul(args: { A: number; B: number }): { C: number } }
    const mul: Handler<{ A: number; B: number }, { C: number }> = ({ A, B }) => ({ C: A * B })
    const options: CallOptions = { timeout: 1000, fail_mode: 'failfast' }
    async function main(): Promise<void> {
      const server = await new Server({ tls: undefined }).function('Arith', 'Mul', mul).listen('tcp@127.0.0.1:0')
      const client = new Client(server.addresses, { breaker: { enabled: true } })
      const arith = client.service<Arith>('Arith')
      const reply = await arith.call('Mul', { A: 6, B: 7 }, options)
      const product: number = reply.C
      console.log(product)
      // @ts-expect-error: there is no such method
      await arith.call('Add', {}).catch((error: unknown) => { if (!(error instanceof RpcError)) throw error })
      // @ts-expect-error: an argument of another type
      void ((): unknown => arith.call('Mul', { A: 'six', B: 7 }))
      // @ts-expect-error: there is no such option
      void ((): unknown => new Client([], { timeot: 1 }))
      client.close()
      await server.shutdown()
    }
    void main()`
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    target: 'ES2022',
    module: 'Node16',
    moduleResolution: 'Node16',
    lib: ['ES2022', 'ESNext.Disposable'],
    types: ['node'],
    typeRoots: [path.join(PACKAGE, 'node_modules/@types')],
  }
  for (const [name, type] of [['ts-esm', 'module'], ['ts-cjs', 'commonjs']]) {
    const at = project(name, { type }, { 'main.ts': source, 'tsconfig.json': JSON.stringify({ compilerOptions, files: ['main.ts'] }) })
    node(at, path.join(PACKAGE, 'node_modules/typescript/bin/tsc'), '-p', '.')
    assert.equal(node(at, 'main.js'), '42\n')
  }
})

test('without its native part it says what is missing', () => {
  const at = project('bare', {}, {})
  rmSync(path.join(at, 'node_modules/librpcx-linux-x64-gnu'), { recursive: true })
  assert.throws(() => node(at, '-e', "require('librpcx')"), /librpcx-linux-x64-gnu, an optional dependency of librpcx, is missing/)
})
