// Packs the package and that of each platform: `node scripts/pack.mjs FOLDER` leaves the tarballs in FOLDER. The native part
// and dist/ must have been built.
//
// What names the packages of the platforms is written here, not into package.json: `npm ci` in a source tree would look
// for versions that are not published yet.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const [folder = 'dist'] = process.argv.slice(2)
const root = fileURLToPath(new URL('../..', import.meta.url))
const target = path.resolve(folder)
const read = (from) => JSON.parse(readFileSync(path.join(root, from, 'package.json'), 'utf8'))

/** Packs what `manifest` lists of the folder `from`. */
function pack(from, manifest) {
  const at = mkdtempSync(path.join(tmpdir(), 'librpcx-pack-'))
  try {
    cpSync(path.join(root, 'LICENSE'), path.join(at, 'LICENSE'))
    for (const file of manifest.files.filter((name) => name !== 'LICENSE')) {
      cpSync(path.join(root, from, file), path.join(at, file), { recursive: true })
    }
    writeFileSync(path.join(at, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', target]
    const out = execFileSync('npm', args, { cwd: at, encoding: 'utf8' })
    process.stdout.write(`${path.join(target, out.trim())}\n`)
  } finally {
    rmSync(at, { recursive: true })
  }
}

mkdirSync(target, { recursive: true })
const { devDependencies: _, scripts: __, ...manifest } = read('node')
const platforms = readdirSync(path.join(root, 'node/npm')).map((name) => `node/npm/${name}`)
const natives = platforms.map(read)
for (const native of natives) {
  if (native.version !== manifest.version) throw new Error(`${native.name} is ${native.version}, librpcx ${manifest.version}`)
}
const optionalDependencies = Object.fromEntries(natives.map(({ name, version }) => [name, version]))
pack('node', { ...manifest, optionalDependencies })
for (const [i, native] of natives.entries()) pack(platforms[i], native)
