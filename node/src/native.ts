// Loads the native part: from the package of this platform, or beside this one in a source tree.

import * as path from 'node:path'
import type * as Native from './native-types'

/** The platforms that have a package, by `process.platform`-`process.arch` and, on Linux, the C library. */
const PLATFORMS = ['linux-x64-gnu']

function platform(): string {
  const base = `${process.platform}-${process.arch}`
  if (process.platform !== 'linux') return base
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined ? `${base}-musl` : `${base}-gnu`
}

function load(): typeof Native {
  const name = platform()
  const tried: string[] = []
  const file = `librpcx.${name}.node`
  // In a source tree the build leaves the file where the platform's package is made of it.
  for (const request of [`librpcx-${name}`, path.join(__dirname, '..', 'npm', name, file)]) {
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- which one is known only here
      return require(request) as typeof Native
    } catch (error) {
      tried.push(`${request}: ${(error as Error).message.split('\n')[0]}`)
    }
  }
  const known = PLATFORMS.includes(name)
    ? `The package librpcx-${name}, an optional dependency of librpcx, is missing or broken: install again without --omit=optional.`
    : `There is no native part for ${name}; there is one for ${PLATFORMS.join(', ')}.`
  throw new Error(`librpcx cannot load its native part. ${known}\n  ${tried.join('\n  ')}`)
}

/** The native part. */
export const addon = load()
