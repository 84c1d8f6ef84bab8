// Packs the package and that of this platform: `node scripts/pack.mjs FOLDER` leaves two tarballs in FOLDER. The native part
// and dist/ must have been built.

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const [folder = 'dist'] = process.argv.slice(2)
const root = fileURLToPath(new URL('../..', import.meta.url))
const target = path.resolve(folder)
mkdirSync(target, { recursive: true })
for (const name of ['node', 'node/npm/linux-x64-gnu']) {
  const from = path.join(root, name)
  copyFileSync(path.join(root, 'LICENSE'), path.join(from, 'LICENSE'))
  const out = execFileSync('npm', ['pack', '--silent', '--pack-destination', target], { cwd: from, encoding: 'utf8' })
  process.stdout.write(`${path.join(target, out.trim())}\n`)
}
