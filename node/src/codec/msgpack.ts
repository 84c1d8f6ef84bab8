// MessagePack as Go's rpcx reads and writes it. 64-bit integers are exact: BigInt beyond 2^53, numbers below.

import { MAX_DEPTH, decodeError, encodeError, integer } from './limits'
import { Timestamp } from './timestamp'

/** An extension type that MessagePack itself gives no meaning. */
export class Extension {
  constructor(
    /** From −128 to 127; −1 is taken by timestamps. */
    readonly type: number,
    /** Its bytes. */
    readonly data: Uint8Array,
  ) {}
}

/**
 * A number of single precision. Go reads a `float32` only from one that was written as such; decoding gives plain numbers.
 */
export class Float32 {
  constructor(
    /** Rounded when it is written. */
    readonly value: number,
  ) {}

  /** The number, which is what JSON writes. */
  toJSON(): number {
    return this.value
  }
}

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

/**
 * Decodes a value: maps become objects, or a `Map` if a key is no text; binary becomes a `Buffer`, which shares memory with
 * `payload`; timestamps become {@link Timestamp}s; integers beyond 2^53 BigInts.
 *
 * @throws RpcError `codec.decode`
 */
export function decode(payload: Uint8Array): unknown {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  // Go's encoder writes nothing at all for no value.
  if (bytes.length === 0) return null
  const reader = new Reader(bytes)
  const value = reader.value(0)
  if (reader.at !== bytes.length) throw decodeError(`${bytes.length - reader.at} bytes after the value`)
  return value
}

/** Names of properties that were read before, ASCII only, each at the place of its hash. */
const NAMES = 1024
const names: (string | undefined)[] = new Array<string | undefined>(NAMES).fill(undefined)

class Reader {
  at = 0

  constructor(private readonly bytes: Buffer) {}

  /** Goes on by so many bytes that must be there; where they begin. */
  private take(count: number): number {
    const from = this.at
    if (count > this.bytes.length - from) throw decodeError('the value ends before it is complete')
    this.at = from + count
    return from
  }

  value(depth: number): unknown {
    const { bytes } = this
    const head = bytes[this.take(1)]!
    if (head < 0x80) return head
    if (head >= 0xe0) return head - 0x100
    if (head < 0x90) return this.map(head & 15, depth)
    if (head < 0xa0) return this.array(head & 15, depth)
    if (head < 0xc0) return this.text(head & 31)
    switch (head) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.binary(this.length(head - 0xc4))
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.extension(this.length(head - 0xc7))
      case 0xca:
        return bytes.readFloatBE(this.take(4))
      case 0xcb:
        return bytes.readDoubleBE(this.take(8))
      case 0xcc:
        return bytes[this.take(1)]
      case 0xcd:
        return bytes.readUInt16BE(this.take(2))
      case 0xce:
        return bytes.readUInt32BE(this.take(4))
      case 0xcf:
        return this.unsigned()
      case 0xd0:
        return bytes.readInt8(this.take(1))
      case 0xd1:
        return bytes.readInt16BE(this.take(2))
      case 0xd2:
        return bytes.readInt32BE(this.take(4))
      case 0xd3:
        return this.signed()
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.extension(1 << (head - 0xd4))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.length(head - 0xd9))
      case 0xdc:
      case 0xdd:
        return this.array(this.length(head - 0xdb), depth)
      case 0xde:
      case 0xdf:
        return this.map(this.length(head - 0xdd), depth)
      default:
        throw decodeError(`0x${head.toString(16)} begins no value`)
    }
  }

  /** A length of 1, 2 or 4 bytes. */
  private length(form: number): number {
    if (form === 0) return this.bytes[this.take(1)]!
    return form === 1 ? this.bytes.readUInt16BE(this.take(2)) : this.bytes.readUInt32BE(this.take(4))
  }

  private unsigned(): number | bigint {
    const at = this.take(8)
    const high = this.bytes.readUInt32BE(at)
    if (high < 0x200000) return high * 0x100000000 + this.bytes.readUInt32BE(at + 4)
    return this.bytes.readBigUInt64BE(at)
  }

  private signed(): number | bigint {
    const at = this.take(8)
    const high = this.bytes.readInt32BE(at)
    if (high >= -0x200000 && high < 0x200000) {
      const value = high * 0x100000000 + this.bytes.readUInt32BE(at + 4)
      if (value !== -0x20000000000000) return value
    }
    return this.bytes.readBigInt64BE(at)
  }

  private text(length: number): string {
    const { bytes } = this
    const from = this.take(length)
    if (length < 16) {
      let text = ''
      for (let at = from; at < from + length; at++) {
        const code = bytes[at]!
        if (code >= 0x80) return bytes.toString('utf8', from, from + length)
        text += String.fromCharCode(code)
      }
      return text
    }
    return bytes.toString('utf8', from, from + length)
  }

  /** A short name that is known from before, if one comes next: the same text again needs not be made again. */
  private name(): string | undefined {
    const { bytes, at } = this
    const length = bytes[at]! - 0xa0
    // Not a short text, or one that is cut off: the usual way says so.
    if (!(length > 0 && length < 32) || at + length >= bytes.length) return undefined
    const from = at + 1
    let hash = length
    for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + bytes[from + i]!) | 0
    const place = hash & (NAMES - 1)
    const known = names[place]
    if (known?.length === length) {
      let i = 0
      while (i < length && known.charCodeAt(i) === bytes[from + i]) i++
      if (i === length) {
        this.at = from + length
        return known
      }
    }
    for (let i = 0; i < length; i++) if (bytes[from + i]! >= 0x80) return undefined
    // As a property's name it is the one text that all objects with it share.
    const text = Object.keys({ [bytes.toString('latin1', from, from + length)]: 0 })[0]!
    names[place] = text
    this.at = from + length
    return text
  }

  private binary(length: number): Buffer {
    const from = this.take(length)
    return this.bytes.subarray(from, from + length)
  }

  /** Each item takes a byte at least: a length beyond what is there is refused before anything is made of it. */
  private items(count: number, bytes: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw decodeError(`the value is nested deeper than ${MAX_DEPTH}`)
    if (count * bytes > this.bytes.length - this.at) throw decodeError('the value ends before it is complete')
  }

  private array(count: number, depth: number): unknown[] {
    this.items(count, 1, depth)
    const items: unknown[] = []
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1))
    return items
  }

  private map(count: number, depth: number): unknown {
    this.items(count, 2, depth)
    const object: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) {
      const key = this.name() ?? this.value(depth + 1)
      if (typeof key !== 'string') return this.mixed(new Map(Object.entries(object)), key, count - i, depth)
      set(object, key, this.value(depth + 1))
    }
    return object
  }

  /** The rest of a map, of which a key is no text. */
  private mixed(map: Map<unknown, unknown>, key: unknown, left: number, depth: number): Map<unknown, unknown> {
    map.set(key, this.value(depth + 1))
    for (let i = 1; i < left; i++) map.set(this.value(depth + 1), this.value(depth + 1))
    return map
  }

  private extension(length: number): Timestamp | Extension {
    const type = this.bytes.readInt8(this.take(1))
    const data = this.binary(length)
    if (type !== -1) return new Extension(type, data)
    try {
      switch (length) {
        case 4:
          return new Timestamp(data.readUInt32BE(0))
        case 8: {
          const both = data.readBigUInt64BE(0)
          return new Timestamp(Number(both & 0x3ffffffffn), Number(both >> 34n))
        }
        case 12:
          return new Timestamp(Number(data.readBigInt64BE(4)), data.readUInt32BE(0))
      }
    } catch (error) {
      throw decodeError('a timestamp is out of range', error)
    }
    throw decodeError(`a timestamp of ${length} bytes`)
  }
}

/** Sets a property of a plain object, whatever its name. */
export function set(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    object[key] = value
  }
}
