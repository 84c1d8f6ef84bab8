// Typed values: how they are read from and shown in a driver's lines, and how they are read from and written to the wire.

import { Float32, Timestamp } from 'librpcx'

/** Go's zero time, which a missing moment is. */
const NO_TIME = Timestamp.of('0001-01-01T00:00:00Z')

/** A value that does not fit; the text names the field. */
export class Mismatch extends Error {}

const shown = (value) => (typeof value === 'bigint' ? String(value) : JSON.stringify(value))
const wrong = (value, expected) => new Mismatch(`${shown(value)} is no ${expected}`)

/** A number where it is exact, else a BigInt. */
export const integer = (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value))

/** The integers that lines have as numbers: those that every double holds, ±2^53 among them. */
export const exact = (value) =>
  typeof value !== 'bigint' ? value : value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : String(value)

function integers(bits, signed) {
  const [low, high] = signed
    ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n]
    : [0n, (1n << BigInt(bits)) - 1n]
  const read = (value) => {
    let whole
    if (typeof value === 'bigint') whole = value
    else if (typeof value === 'number' && Number.isInteger(value)) whole = BigInt(value)
    else throw wrong(value, 'integer')
    if (whole < low || whole > high) throw wrong(value, `${signed ? '' : 'unsigned '}integer of ${bits} bits`)
    return integer(whole)
  }
  return {
    zero: () => 0,
    line: (value) => read(typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : value),
    show: exact,
    read,
    write: (value) => value,
  }
}

function plain(type, zero, expected) {
  const read = (value) => {
    if (typeof value !== type) throw wrong(value, expected)
    return value
  }
  return { zero: () => zero, line: read, read, show: (value) => value, write: (value) => value }
}

/** JSON may have an integer where a float is meant. */
const float = (value) => {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'number') throw wrong(value, 'number')
  return value
}

const single = (value) => {
  const rounded = Math.fround(float(value))
  if (!Number.isFinite(rounded)) throw wrong(value, 'number of single precision')
  return rounded
}

export const bool = plain('boolean', false, 'boolean')
export const str = plain('string', '', 'text')
export const [i8, i16, i32, i64] = [8, 16, 32, 64].map((bits) => integers(bits, true))
export const [u8, u16, u32, u64] = [8, 16, 32, 64].map((bits) => integers(bits, false))
export const f64 = { zero: () => 0, line: float, read: float, show: (value) => value, write: (value) => value }
export const f32 = { ...f64, line: single, read: single, write: (value) => new Float32(value) }

/** The bytes of lower-case or upper-case hexadecimal text, or nothing. */
export const unhex = (text) => (/^([0-9a-f]{2})*$/i.test(text) ? Buffer.from(text, 'hex') : undefined)

export const bytes = {
  zero: () => Buffer.alloc(0),
  line(value) {
    const found = value === null ? Buffer.alloc(0) : typeof value === 'string' ? unhex(value) : undefined
    if (found === undefined) throw wrong(value, 'hexadecimal text')
    return found
  },
  show: (value) => value.toString('hex'),
  // JSON has them as base64.
  read(value) {
    if (value instanceof Uint8Array) return Buffer.from(value)
    if (typeof value !== 'string') throw wrong(value, 'bytes')
    return Buffer.from(value, 'base64')
  },
  write: (value) => value,
}

const moment = (value) => {
  try {
    return Timestamp.of(value)
  } catch {
    throw wrong(value, 'moment')
  }
}
export const time = { zero: () => NO_TIME, line: moment, read: moment, show: (value) => value.toJSON(), write: (value) => value }

export function list(item) {
  const each = (value, of) => {
    if (value === null) return []
    if (!Array.isArray(value)) throw wrong(value, 'list')
    return value.map(of)
  }
  return {
    zero: () => [],
    line: (value) => each(value, item.line),
    show: (value) => value.map(item.show),
    read: (value) => each(value, (inner) => (inner === null ? item.zero() : item.read(inner))),
    write: (value) => value.map(item.write),
  }
}

function entries(value) {
  if (value === null) return []
  if (value instanceof Map) return [...value]
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array || value instanceof Date) {
    throw wrong(value, 'object')
  }
  return Object.entries(value)
}

/** What goes wrong within a field is said with its name. */
function within(name, body) {
  try {
    return body()
  } catch (error) {
    if (error instanceof Mismatch) error.message = `${name}: ${error.message}`
    throw error
  }
}

export function map(item) {
  const each = (value, of) => Object.fromEntries(entries(value).map(([key, inner]) => [key, within(key, () => of(inner))]))
  return {
    zero: () => ({}),
    line: (value) => each(value, item.line),
    show: (value) => each(value, item.show),
    read: (value) => each(value, (inner) => (inner === null ? item.zero() : item.read(inner))),
    write: (value) => each(value, item.write),
  }
}

/** Missing fields are zero; those that the struct lacks are refused in lines and skipped on the wire, as Go does. */
export function struct(fields) {
  const names = Object.keys(fields)
  const each = (of) => Object.fromEntries(names.map((name) => [name, within(name, () => of(fields[name], name))]))
  const zero = () => each((field) => field.zero())
  return {
    zero,
    line(value) {
      const given = Object.fromEntries(entries(value))
      const unknown = Object.keys(given).find((name) => !names.includes(name))
      if (unknown !== undefined) throw new Mismatch(`unknown field ${shown(unknown)}, expected ${names.join(', ')}`)
      return each((field, name) => (given[name] === undefined ? field.zero() : field.line(given[name])))
    },
    show: (value) => each((field, name) => field.show(value[name])),
    read(value) {
      const given = Object.fromEntries(entries(value))
      return each((field, name) => (given[name] === undefined || (given[name] === null && !field.optional) ? field.zero() : field.read(given[name])))
    },
    write: (value) => each((field, name) => field.write(value[name])),
  }
}

/** A value, or null. */
export function optional(inner) {
  const or = (of) => (value) => (value === null ? null : of(value))
  return { optional: true, zero: () => null, line: or(inner.line), show: or(inner.show), read: or(inner.read), write: or(inner.write) }
}
