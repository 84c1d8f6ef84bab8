// The serialize types and what encodes and decodes for each.

import { RpcError } from '../errors'
import * as json from './json'
import { encodeError } from './limits'
import * as msgpack from './msgpack'
import { type MethodTypes, decodeMessage, encodeMessage } from './types'

/** Serialize types by name, as the option `serialize_type` has them; others go by their number, 5 to 15. */
export type SerializeType = 'raw' | 'json' | 'protobuf' | 'msgpack' | 'thrift' | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15

export const RAW = 0
export const JSON_TYPE = 1
export const PROTOBUF = 2
export const MSGPACK = 3
const NAMES = ['raw', 'json', 'protobuf', 'msgpack', 'thrift']

/**
 * The number of a serialize type.
 *
 * @throws RpcError `config.bad_value`
 */
export function serializeNumber(type: SerializeType): number {
  const number = typeof type === 'string' ? NAMES.indexOf(type) : type
  if (number >= 0 && number <= 15 && Number.isInteger(number)) return number
  throw new RpcError(`serialize_type: ${JSON.stringify(type)} is none of ${NAMES.join(', ')}, 5 to 15`, { reason: 'config.bad_value' })
}

/** The name of a serialize type, or its number where it has none. */
export function serializeName(number: number): SerializeType {
  return (NAMES[number] ?? number) as SerializeType
}

/** Encodes arguments or a reply; bytes are the payload as they are, unless the format has a form for bytes. */
export function encodeValue(serialize: number, value: unknown, types: MethodTypes | undefined, side: 'request' | 'reply'): Uint8Array {
  switch (serialize) {
    case MSGPACK:
      return msgpack.encode(value)
    case JSON_TYPE:
      return json.encode(value)
    case RAW:
      if (value === undefined || value === null) return Buffer.alloc(0)
      break
    default:
      if (types !== undefined) return encodeMessage(types[side], value)
  }
  if (value instanceof Uint8Array) return value
  if (serialize === RAW) throw encodeError('raw takes a Uint8Array')
  throw unsupported(serialize, 'not_sent')
}

/** Decodes arguments or a reply. */
export function decodeValue(serialize: number, payload: Buffer, types: MethodTypes | undefined, side: 'request' | 'reply'): unknown {
  switch (serialize) {
    case MSGPACK:
      return msgpack.decode(payload)
    case JSON_TYPE:
      return json.decode(payload)
    case RAW:
      return payload
    default:
      if (types !== undefined) return decodeMessage(types[side], payload)
      throw unsupported(serialize, 'answered')
  }
}

function unsupported(serialize: number, delivery: 'not_sent' | 'answered'): RpcError {
  const name = serializeName(serialize)
  return new RpcError(`the method has no message types for ${name}`, { reason: 'codec.unsupported', delivery })
}
