// Reads MessagePack: nothing that is declared is believed beyond the bytes that are there.

import { MAX_DEPTH, decodeError } from '../limits'
import { set } from '../property'
import { Timestamp } from '../timestamp'
import { Extension } from './types'

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
