// Writes MessagePack, integers in their shortest form.

import { MAX_DEPTH, encodeError, integer } from '../limits'
import { Timestamp } from '../timestamp'
import { Extension, Float32 } from './types'

/** What the writer writes into; grows, and is used again by the next one. */
let scratch: Buffer = Buffer.allocUnsafeSlow(8192)
/** Memory above this is given back. */
const KEPT = 1 << 20
let busy = false

/**
 * Encodes a value. Integers take their shortest form, other numbers 8 bytes; `undefined` is nil, and left out as a
 * property; byte arrays are binary; a `Date` is a timestamp; objects and `Map`s are maps, arrays and `Set`s arrays.
 *
 * @throws RpcError `codec.encode`
 */
export function encode(value: unknown): Buffer {
  // A getter of the value may encode something itself.
  const nested = busy
  const writer = new Writer(nested ? Buffer.allocUnsafeSlow(1024) : scratch)
  busy = true
  try {
    writer.value(value, 0)
  } finally {
    busy = nested
    if (!nested && writer.out.length <= KEPT) scratch = writer.out
  }
  return Buffer.from(writer.out.subarray(0, writer.at))
}

class Writer {
  at = 0

  constructor(public out: Buffer) {}

  private need(bytes: number): void {
    if (this.at + bytes <= this.out.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.out.length * 2, this.at + bytes))
    this.out.copy(larger, 0, 0, this.at)
    this.out = larger
  }

  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        return this.text(value)
      case 'number':
        return this.number(value)
      case 'object':
        return value === null ? this.byte(0xc0) : this.object(value, depth)
      case 'boolean':
        return this.byte(value ? 0xc3 : 0xc2)
      case 'bigint':
        return this.bigint(value)
      case 'undefined':
        return this.byte(0xc0)
      default:
        throw encodeError(`a ${typeof value} cannot be encoded`)
    }
  }

  private byte(byte: number): void {
    this.need(1)
    this.out[this.at++] = byte
  }

  private number(value: number): void {
    this.need(9)
    const { out, at } = this
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      out[at] = 0xcb
      this.at = out.writeDoubleBE(value, at + 1)
    } else if (value >= 0) {
      if (value < 0x80) {
        out[at] = value
        this.at = at + 1
      } else if (value < 0x100) {
        out[at] = 0xcc
        out[at + 1] = value
        this.at = at + 2
      } else if (value < 0x10000) {
        out[at] = 0xcd
        this.at = out.writeUInt16BE(value, at + 1)
      } else if (value < 0x100000000) {
        out[at] = 0xce
        this.at = out.writeUInt32BE(value, at + 1)
      } else {
        out[at] = 0xcf
        out.writeUInt32BE(Math.floor(value / 0x100000000), at + 1)
        this.at = out.writeUInt32BE(value >>> 0, at + 5)
      }
    } else if (value >= -0x20) {
      out[at] = 0x100 + value
      this.at = at + 1
    } else if (value >= -0x80) {
      out[at] = 0xd0
      this.at = out.writeInt8(value, at + 1)
    } else if (value >= -0x8000) {
      out[at] = 0xd1
      this.at = out.writeInt16BE(value, at + 1)
    } else if (value >= -0x80000000) {
      out[at] = 0xd2
      this.at = out.writeInt32BE(value, at + 1)
    } else {
      out[at] = 0xd3
      out.writeInt32BE(Math.floor(value / 0x100000000), at + 1)
      this.at = out.writeUInt32BE(value >>> 0, at + 5)
    }
  }

  private bigint(value: bigint): void {
    const small = integer(value)
    if (typeof small === 'number') return this.number(small)
    this.need(9)
    if (value >= 0n && BigInt.asUintN(64, value) === value) {
      this.out[this.at] = 0xcf
      this.at = this.out.writeBigUInt64BE(value, this.at + 1)
    } else if (BigInt.asIntN(64, value) === value) {
      this.out[this.at] = 0xd3
      this.at = this.out.writeBigInt64BE(value, this.at + 1)
    } else {
      throw encodeError(`${value} has more than 64 bits`)
    }
  }

  private text(text: string): void {
    const { length } = text
    // Most names and values: short, and ASCII.
    if (length < 32) {
      this.need(length + 1)
      const { out } = this
      let at = this.at
      out[at++] = 0xa0 | length
      let i = 0
      for (; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code >= 0x80) break
        out[at++] = code
      }
      if (i === length) {
        this.at = at
        return
      }
    }
    if (length > 0x1000) {
      const bytes = Buffer.byteLength(text)
      this.head(bytes, 0xa0, 32, 0xd9, 0xda)
      this.need(bytes)
      this.at += this.out.write(text, this.at)
      return
    }
    // Counting the bytes first would cost as much as writing them: they are moved where the guess was wrong.
    this.need(5 + 3 * length)
    const { at } = this
    const guess = at + (length < 16 ? 1 : length < 0x80 ? 2 : 3)
    const bytes = this.out.write(text, guess)
    const head = at + (bytes < 32 ? 1 : bytes < 0x100 ? 2 : 3)
    if (head !== guess) this.out.copyWithin(head, guess, guess + bytes)
    this.head(bytes, 0xa0, 32, 0xd9, 0xda)
    this.at += bytes
  }

  /** A length below `short` within the first byte, else after one of three. */
  private head(length: number, first: number, short: number, one: number, two: number): void {
    this.need(5)
    const { out, at } = this
    if (length < short) {
      out[at] = first | length
      this.at = at + 1
    } else if (one !== 0 && length < 0x100) {
      out[at] = one
      out[at + 1] = length
      this.at = at + 2
    } else if (length < 0x10000) {
      out[at] = two
      this.at = out.writeUInt16BE(length, at + 1)
    } else {
      out[at] = two + 1
      this.at = out.writeUInt32BE(length, at + 1)
    }
  }

  private object(value: object, depth: number): void {
    if (depth >= MAX_DEPTH) throw encodeError(`the value is nested deeper than ${MAX_DEPTH}, or in itself`)
    // Most of them, and none of what is asked for below.
    if (Object.getPrototypeOf(value) === Object.prototype) return this.properties(value as Record<string, unknown>, depth)
    if (Array.isArray(value)) return this.array(value, depth)
    if (value instanceof Uint8Array) return this.binary(value)
    if (value instanceof Date) return this.time(Timestamp.of(value))
    if (value instanceof Map) {
      this.head(value.size, 0x80, 16, 0, 0xde)
      for (const [key, item] of value) {
        this.value(key, depth + 1)
        this.value(item, depth + 1)
      }
      return
    }
    if (value instanceof Set) return this.array([...value], depth)
    if (value instanceof ArrayBuffer) return this.binary(new Uint8Array(value))
    if (ArrayBuffer.isView(value)) return this.array(Array.from(value as unknown as ArrayLike<unknown>), depth)
    if (value instanceof Extension) return this.extension(value)
    if (value instanceof Float32) return this.single(value.value)
    this.properties(value as Record<string, unknown>, depth)
  }

  private array(items: readonly unknown[], depth: number): void {
    this.head(items.length, 0x90, 16, 0, 0xdc)
    for (const item of items) this.value(item, depth + 1)
  }

  private properties(object: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(object)
    let count = 0
    for (const key of keys) if (present(object[key])) count++
    this.head(count, 0x80, 16, 0, 0xde)
    for (const key of keys) {
      const item = object[key]
      if (!present(item)) continue
      if (count-- === 0) break
      this.text(key)
      this.value(item, depth + 1)
    }
    if (count > 0) throw encodeError('the value changed while it was encoded')
  }

  private binary(bytes: Uint8Array): void {
    this.head(bytes.length, 0, 0, 0xc4, 0xc5)
    this.need(bytes.length)
    this.out.set(bytes, this.at)
    this.at += bytes.length
  }

  private time(moment: Timestamp): void {
    this.need(15)
    const { out, at } = this
    const { seconds, nanos } = moment
    if (seconds < 0 || seconds >= 0x400000000) {
      out.set([0xc7, 12, 0xff], at)
      out.writeUInt32BE(nanos, at + 3)
      this.at = out.writeBigInt64BE(BigInt(seconds), at + 7)
    } else if (nanos === 0 && seconds < 0x100000000) {
      out.set([0xd6, 0xff], at)
      this.at = out.writeUInt32BE(seconds, at + 2)
    } else {
      out.set([0xd7, 0xff], at)
      this.at = out.writeBigUInt64BE((BigInt(nanos) << 34n) | BigInt(seconds), at + 2)
    }
  }

  private single(value: number): void {
    this.need(5)
    this.out[this.at] = 0xca
    this.at = this.out.writeFloatBE(value, this.at + 1)
  }

  private extension({ type, data }: Extension): void {
    const fixed = [1, 2, 4, 8, 16].indexOf(data.length)
    if (fixed >= 0) this.byte(0xd4 + fixed)
    else this.head(data.length, 0, 0, 0xc7, 0xc8)
    this.need(1 + data.length)
    this.out.writeInt8(type, this.at)
    this.out.set(data, this.at + 1)
    this.at += 1 + data.length
  }
}

function present(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol'
}
