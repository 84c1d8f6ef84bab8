// What messages of Protocol Buffers, or of a format of one's own, are described by.

import { decodeError, encodeError } from './limits'

/**
 * A message type: anything that encodes and decodes. Types and classes of protobufjs, ts-proto's messages and objects of
 * one's own are such.
 */
export interface MessageType<T> {
  /** The message as bytes, or a writer that `finish`es with them. */
  encode(message: T): Uint8Array | { finish(): Uint8Array }
  /** The message that bytes hold. */
  decode(bytes: Uint8Array): T
}

/** The message types of a method. */
export interface MethodTypes<Args = any, Reply = any> {
  /** Of the arguments. */
  readonly request: MessageType<Args>
  /** Of the reply. */
  readonly reply: MessageType<Reply>
}

/** Encodes by a message type. */
export function encodeMessage(type: MessageType<unknown>, message: unknown): Uint8Array {
  let encoded
  try {
    encoded = type.encode(message)
    if (!(encoded instanceof Uint8Array)) encoded = encoded.finish()
  } catch (error) {
    throw encodeError(error instanceof Error ? error.message : String(error), error)
  }
  if (!(encoded instanceof Uint8Array)) throw encodeError('a message type must encode to a Uint8Array')
  return encoded
}

/** Decodes by a message type. */
export function decodeMessage(type: MessageType<unknown>, bytes: Uint8Array): unknown {
  try {
    return type.decode(bytes)
  } catch (error) {
    throw decodeError(error instanceof Error ? error.message : String(error), error)
  }
}
