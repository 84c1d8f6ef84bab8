// Handlers with typed arguments and replies.

import { RpcError } from 'librpcx'
import { METHODS } from '../messages.js'
import { Mismatch } from '../schema.js'

/** The handler, given what the method's types make of the arguments, and giving what they make of the reply. */
export function typed(name, handler) {
  const [args, reply] = METHODS[name]
  return async (value, ctx) => {
    let given
    try {
      given = value === null || value === undefined ? args.zero() : args.read(value)
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error
      throw new RpcError(error.message, { reason: 'codec.server' })
    }
    return reply.write({ ...(await handler(given, ctx)) })
  }
}
