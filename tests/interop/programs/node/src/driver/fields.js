// The fields of a command, taken one by one; what is left over is refused by name.

import { RpcError } from 'librpcx'

/** A command that cannot be obeyed; nothing was sent. */
export const misuse = (text) => new RpcError(text, { reason: 'config.bad_argument' })

const shown = (value) => JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields not yet taken. */
export class Fields {
  #fields

  constructor(fields) {
    this.#fields = new Map(Object.entries(fields))
  }

  /** Any value. */
  take(name) {
    const value = this.#fields.get(name)
    this.#fields.delete(name)
    return value
  }

  /** A value that must be there. */
  required(name) {
    const value = this.take(name)
    if (value === undefined) throw misuse(`${name} is missing`)
    return value
  }

  /** Text that must be there. */
  text(name) {
    const text = this.optionalText(name)
    if (text === undefined) throw misuse(`${name} is missing`)
    return text
  }

  /** Text, or nothing or null. */
  optionalText(name) {
    const value = this.take(name) ?? undefined
    if (value !== undefined && typeof value !== 'string') throw misuse(`${name}: ${shown(value)} is no text`)
    return value
  }

  /** A whole number that is not negative. */
  count(name) {
    const value = this.take(name)
    if (value === undefined) return undefined
    if (!Number.isSafeInteger(value) || value < 0) throw misuse(`${name}: ${shown(value)} is no whole number from 0`)
    return value
  }

  /** True or false. */
  flag(name, unset) {
    const value = this.take(name) ?? unset
    if (typeof value !== 'boolean') throw misuse(`${name}: ${shown(value)} is neither true nor false`)
    return value
  }

  /** An object; nothing and null are an empty one. */
  object(name) {
    const value = this.take(name) ?? {}
    if (!isObject(value)) throw misuse(`${name}: ${shown(value)} is no object`)
    return value
  }

  /** A time in milliseconds, or text with a unit. */
  millis(name) {
    const value = this.take(name)
    if (value === undefined) return undefined
    if (typeof value === 'number' && value >= 0) return value
    const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(String(value)) ?? []
    if (digits === undefined) throw misuse(`${name}: ${shown(value)} is no time in milliseconds`)
    return Number(digits) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? 'ms']
  }

  /** Refuses a field that nobody took. */
  done() {
    const [name] = this.#fields.keys()
    if (name !== undefined) throw misuse(`unknown field ${JSON.stringify(name)}`)
  }
}
