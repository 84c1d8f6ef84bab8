// Options on their way to the native part: as text, by name.

import { RpcError } from './errors'
import { writePairs } from './metadata'

/** An option's value: times in milliseconds, sizes in bytes, or text with a unit; a group may be an object of its own. */
export type OptionValue = string | number | bigint | boolean | readonly (string | number)[] | null | undefined

/** Options as pairs of texts: an object within is a group, `undefined` is left out, `null` unsets. */
export function settings(options: object): [string, string][] {
  const pairs: [string, string][] = []
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [inner, text] of settings(value as object)) pairs.push([`${name}.${inner}`, text])
    } else {
      pairs.push([name, text(name, value)])
    }
  }
  return pairs
}

function text(name: string, value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    default:
      if (value === null) return ''
      if (Array.isArray(value)) return value.join(',')
      throw new RpcError(`option ${name}: a ${typeof value} is no value`, { reason: 'config.bad_value' })
  }
}

/** The same for a call. */
export function writeSettings(pairs: Iterable<readonly [string, unknown]>): Buffer {
  return writePairs(settings(Object.fromEntries(pairs)))
}
