// The messages of `Arith` in Protocol Buffers, by hand: `A = 1, B = 2`, and `C = 1`.

import protobuf from 'protobufjs'
import { integer } from './schema.js'

const { Long } = protobuf.util

/** A message type of int64 fields, in the order of their numbers. */
function message(...names) {
  return {
    encode(value) {
      const writer = protobuf.Writer.create()
      names.forEach((name, at) => writer.uint32((at + 1) << 3).int64(Long.fromString(String(value[name] ?? 0))))
      return writer
    },
    decode(bytes) {
      const reader = protobuf.Reader.create(bytes)
      const value = Object.fromEntries(names.map((name) => [name, 0]))
      while (reader.pos < reader.len) {
        const tag = reader.uint32()
        const name = names[(tag >>> 3) - 1]
        if (name !== undefined && (tag & 7) === 0) value[name] = integer(BigInt(reader.int64().toString()))
        else reader.skipType(tag & 7)
      }
      return value
    },
  }
}

const types = { request: message('A', 'B'), reply: message('C') }

/** For every method that takes them. */
export const arithTypes = { Mul: types, Add: types, Div: types, Times: types }

/** Numbers wrap around as Go's do. */
export const calculate = {
  Mul: (a, b) => integer(BigInt.asIntN(64, BigInt(a) * BigInt(b))),
  Add: (a, b) => integer(BigInt.asIntN(64, BigInt(a) + BigInt(b))),
  Div(a, b) {
    if (BigInt(b) === 0n) throw new Error('divide by zero')
    return integer(BigInt.asIntN(64, BigInt(a) / BigInt(b)))
  },
}
