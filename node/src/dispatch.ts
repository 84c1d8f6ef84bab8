// From a request to its handler, and from what that gives to the answer.

import { type Incoming, outbox } from './bridge'
import { decodeValue, encodeValue } from './codec'
import type { MethodTypes } from './codec/types'
import { Context } from './context'
import { useContexts } from './context-storage'
import { RpcError } from './errors'
import type { ServerInterceptor } from './interceptor'
import type { Handler } from './server'
import type { Workers } from './workers'

/** A method with its handler. */
export interface Entry {
  readonly service: string
  readonly method: string
  readonly run: Handler
  /** It gets and gives payloads as they are. */
  readonly raw: boolean
  readonly types: MethodTypes | undefined
  readonly toCompletion: boolean
  /** It is bounded by the options `worker_threads` and `worker_queue`. */
  readonly blocking: boolean
}

/** What all handlers of a server share. */
export interface Manner {
  readonly interceptors: readonly ServerInterceptor[]
  readonly workers: Workers
  /** Whether callers see the texts of mistakes. */
  readonly panicText: boolean
}

/** Errors of the language itself: a handler that throws one has a mistake, and did not mean to tell its caller. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError, EvalError, URIError]

/** What takes the requests of a method. It must not throw. */
export function serve(entry: Entry, how: Manner): (request: Incoming) => void {
  const { types, raw } = entry
  const contexts = useContexts()
  let run = how.interceptors.length === 0 ? entry.run : intercepted(entry.run, how.interceptors)
  if (entry.blocking) run = how.workers.around(run)

  const answer = (request: Incoming, ctx: Context, reply: unknown): void => {
    try {
      const payload = raw ? bytesOf(reply) : encodeReply(request.serialize, reply, types)
      outbox.answer(request.index, request.round, ctx.end(), payload)
    } catch (error) {
      fail(request, ctx, error, how.panicText)
    }
  }

  return (request) => {
    const ctx = new Context(request)
    try {
      const args = raw ? request.payload : decodeArgs(request, types)
      const reply: unknown = contexts.run(ctx, run, args, ctx)
      if (isThenable(reply)) {
        reply.then(
          (value) => answer(request, ctx, value),
          (error: unknown) => fail(request, ctx, error, how.panicText),
        )
      } else {
        answer(request, ctx, reply)
      }
    } catch (error) {
      fail(request, ctx, error, how.panicText)
    }
  }
}

/** The handler within the interceptors, the first one outermost. */
function intercepted(run: Handler, interceptors: readonly ServerInterceptor[]): Handler {
  return (args, ctx) => {
    const at = async (index: number, args: unknown): Promise<unknown> => {
      const interceptor = interceptors[index]
      if (interceptor === undefined) return (await run(args, ctx)) as unknown
      return interceptor(ctx, args, (inner) => at(index + 1, inner))
    }
    return at(0, args)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** What was sent does not fit the method: the caller is told so, whatever the codec said. */
function decodeArgs(request: Incoming, types: MethodTypes | undefined): unknown {
  try {
    return decodeValue(request.serialize, request.payload, types, 'request')
  } catch (error) {
    throw atServer(error)
  }
}

function encodeReply(serialize: number, reply: unknown, types: MethodTypes | undefined): Uint8Array {
  try {
    return encodeValue(serialize, reply, types, 'reply')
  } catch (error) {
    throw atServer(error)
  }
}

function atServer(error: unknown): unknown {
  if (!(error instanceof RpcError) || error.reason === 'codec.unsupported') return error
  return new RpcError(error.message, { reason: 'codec.server', delivery: 'answered', cause: error })
}

function bytesOf(reply: unknown): Uint8Array {
  if (reply instanceof Uint8Array) return reply
  if (reply === undefined || reply === null) return Buffer.alloc(0)
  if (typeof reply === 'string') return Buffer.from(reply)
  throw new RpcError('a raw handler must give a Uint8Array', { reason: 'codec.server' })
}

/**
 * Answers with what a handler threw: the text of an error is the service's own word; a mistake is answered as a panic is, with
 * its text if the option `panic_text` says so.
 */
function fail({ index, round }: Incoming, ctx: Context, error: unknown, panicText: boolean): void {
  let reason = 'service.error'
  let message: string
  if (error instanceof RpcError) {
    // Where an error of another server comes from is not told on: it is this service's word now.
    if (error.server === undefined) reason = error.reason
    message = error.message
  } else if (error instanceof Error && !MISTAKES.some((mistake) => error instanceof mistake)) {
    message = error.message
  } else {
    reason = 'service.panic'
    message = `internal error in ${ctx.service}.${ctx.method}${panicText ? `: ${String(error)}` : ''}`
  }
  outbox.fail(index, round, ctx.end(), reason, message)
}
