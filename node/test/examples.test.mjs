// The examples, compiled and run as they are.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import test from 'node:test'
import { PACKAGE } from './support.mjs'

const source = path.join(PACKAGE, '../examples/node/arith')

test('arith', async (t) => {
  const build = mkdtempSync(path.join(tmpdir(), 'librpcx-examples-'))
  t.after(() => rmSync(build, { recursive: true }))
  // Where the compiler and Node look for the package, as an installation would leave it.
  mkdirSync(path.join(build, 'node_modules'))
  symlinkSync(PACKAGE, path.join(build, 'node_modules/librpcx'))
  const files = ['server.ts', 'client.ts']
  for (const file of files) symlinkSync(path.join(source, file), path.join(build, file))
  const options = {
    extends: path.join(source, 'tsconfig.json'),
    compilerOptions: { preserveSymlinks: true, outDir: 'build', rootDir: '.', typeRoots: [path.join(PACKAGE, 'node_modules/@types')] },
    files,
  }
  writeFileSync(path.join(build, 'tsconfig.json'), JSON.stringify(options))
  execFileSync(process.execPath, [path.join(PACKAGE, 'node_modules/typescript/bin/tsc'), '-p', build], { stdio: 'inherit' })

  const server = spawn(process.execPath, [path.join(build, 'build/server.js'), 'tcp@127.0.0.1:0'])
  const [ready] = await once(server.stdout, 'data')
  const [, address] = /^listening on (\S+)/.exec(String(ready))
  const out = execFileSync(process.execPath, [path.join(build, 'build/client.js'), address], { encoding: 'utf8' })
  assert.equal(out, '6 x 7 = 42\n1 / 0: divide by zero (RPCX_SERVICE, answered)\n')
  server.kill('SIGTERM')
  assert.deepEqual(await once(server, 'exit'), [0, null])
})
