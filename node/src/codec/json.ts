// JSON as Go's rpcx reads and writes it: 64-bit integers exact, bytes as base64, moments as RFC 3339.

import { MAX_DEPTH, decodeError, encodeError, integer } from './limits'
import { set } from './property'
import { Timestamp } from './timestamp'

/** A number of so many digits may be an integer that no double holds. */
const LONG_NUMBER = /\d{16}/

/**
 * Encodes a value. BigInts are written as integers, byte arrays as base64, a `Date` as RFC 3339; `Map`s are objects, `Set`s
 * arrays; `undefined` is null, and left out as a property; `toJSON` is obeyed.
 *
 * @throws RpcError `codec.encode`
 */
export function encode(value: unknown): Buffer {
  return Buffer.from(text(value, 0))
}

function text(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return number(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'bigint':
      return value.toString()
    case 'undefined':
      return 'null'
    case 'object':
      return value === null ? 'null' : object(value, depth)
    default:
      throw encodeError(`a ${typeof value} cannot be encoded`)
  }
}

function number(value: number): string {
  if (!Number.isFinite(value)) throw encodeError(`JSON has no ${value}`)
  return Object.is(value, -0) ? '-0' : String(value)
}

function object(value: object, depth: number): string {
  if (depth >= MAX_DEPTH) throw encodeError(`the value is nested deeper than ${MAX_DEPTH}, or in itself`)
  if (Array.isArray(value)) return array(value, depth)
  if (value instanceof Uint8Array) return `"${bytes(value)}"`
  if (value instanceof ArrayBuffer) return `"${bytes(new Uint8Array(value))}"`
  if (value instanceof Date) return JSON.stringify(Timestamp.of(value).toJSON())
  if (value instanceof Map) return pairs(value.entries(), depth)
  if (value instanceof Set) return array([...value], depth)
  if (ArrayBuffer.isView(value)) return array(Array.from(value as unknown as ArrayLike<unknown>), depth)
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return text((toJSON as () => unknown).call(value), depth + 1)
  return pairs(Object.entries(value), depth)
}

function bytes(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
}

function array(items: readonly unknown[], depth: number): string {
  return `[${items.map((item) => text(item, depth + 1)).join(',')}]`
}

function pairs(entries: Iterable<[unknown, unknown]>, depth: number): string {
  const parts: string[] = []
  for (const [key, value] of entries) {
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue
    parts.push(`${JSON.stringify(String(key))}:${text(value, depth + 1)}`)
  }
  return `{${parts.join(',')}}`
}

/**
 * Decodes a value. Integers beyond 2^53 become BigInts if they have 64 bits at most; everything else is as with `JSON.parse`.
 *
 * @throws RpcError `codec.decode`
 */
export function decode(payload: Uint8Array): unknown {
  // Go's encoder writes nothing at all for no value.
  if (payload.length === 0) return null
  const source = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8')
  try {
    const value: unknown = JSON.parse(source)
    return LONG_NUMBER.test(source) ? new Exact(source).document() : value
  } catch (error) {
    if (error instanceof SyntaxError) throw decodeError(error.message, error)
    throw error
  }
}

/** Reads a text that JSON.parse has found to be JSON, for its integers. */
class Exact {
  private at = 0

  constructor(private readonly source: string) {}

  document(): unknown {
    return this.value(0)
  }

  private space(): void {
    while (/\s/.test(this.source.charAt(this.at))) this.at++
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.source)![0]
    this.at += found.length
    return found
  }

  private value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw decodeError(`the value is nested deeper than ${MAX_DEPTH}`)
    this.space()
    switch (this.source.charAt(this.at)) {
      case '{':
        return this.members(depth)
      case '[':
        return this.elements(depth)
      case '"':
        return this.string()
      case 't':
      case 'f':
      case 'n':
        return JSON.parse(this.match(/[a-z]+/y))
      default:
        return exact(this.match(/[-+.\deE]+/y))
    }
  }

  private string(): string {
    return JSON.parse(this.match(/"(?:[^"\\]|\\.)*"/y)) as string
  }

  /** Whether another item follows; passes the comma, or the closing bracket. */
  private more(): boolean {
    this.space()
    return this.source.charAt(this.at++) === ','
  }

  private isEmpty(close: string): boolean {
    this.at++
    this.space()
    if (this.source.charAt(this.at) !== close) return false
    this.at++
    return true
  }

  private elements(depth: number): unknown[] {
    const items: unknown[] = []
    if (this.isEmpty(']')) return items
    do items.push(this.value(depth + 1))
    while (this.more())
    return items
  }

  private members(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    if (this.isEmpty('}')) return object
    do {
      this.space()
      const key = this.string()
      this.space()
      this.at++ // the colon
      set(object, key, this.value(depth + 1))
    } while (this.more())
    return object
  }
}

function exact(digits: string): number | bigint {
  const value = Number(digits)
  if (Number.isSafeInteger(value) || /[.eE]/.test(digits)) return value
  const whole = BigInt(digits)
  return BigInt.asIntN(64, whole) === whole || BigInt.asUintN(64, whole) === whole ? integer(whole) : value
}
