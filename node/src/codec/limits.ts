// What every codec keeps to, and how it fails.

import { RpcError } from '../errors'

/** The deepest nesting that is written or read. */
export const MAX_DEPTH = 128

/** Arguments, or a reply, that cannot be encoded. */
export function encodeError(message: string, cause?: unknown): RpcError {
  return new RpcError(message, { reason: 'codec.encode', cause })
}

/** A payload that cannot be decoded. */
export function decodeError(message: string, cause?: unknown): RpcError {
  return new RpcError(message, { reason: 'codec.decode', delivery: 'answered', cause })
}

/** What stands for an integer: a number where it holds it exactly, else a BigInt. */
export function integer(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value
}
