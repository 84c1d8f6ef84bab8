// Interceptors: code of the program around calls, on a client outermost, on a server innermost.

import type { CallOptions, InformReply, Response } from './call'
import type { Context } from './context'

/** A call as a client's interceptors see it: once, before retries. They may change it before they hand it on. */
export interface ClientCall {
  /** How it is made. */
  readonly form: 'call' | 'broadcast' | 'fork' | 'inform' | 'oneway' | 'oneshot'
  /** Service path. */
  readonly service: string
  /** Service method. */
  readonly method: string
  /** The arguments, not yet encoded. */
  args: unknown
  /** Options, its own copy. */
  options: CallOptions
}

/** What a call comes to: of oneway and oneshot nothing, of inform what each server answered. */
export type Outcome = Response<any> | InformReply<any>[] | void

/**
 * Runs around each call of a client. It may change the call, answer in its place, or look at what comes back.
 *
 * ```ts
 * client.use(async (call, next) => {
 *   call.options.metadata = { ...call.options.metadata, 'request-id': randomUUID() }
 *   return next(call)
 * })
 * ```
 */
export type ClientInterceptor = (call: ClientCall, next: (call: ClientCall) => Promise<Outcome>) => Promise<Outcome>

/**
 * Runs around each handler of a server, with decoded arguments; what it resolves with is the reply.
 *
 * ```ts
 * server.use(async (ctx, args, next) => {
 *   const began = performance.now()
 *   try {
 *     return await next(args)
 *   } finally {
 *     console.error(ctx.service, ctx.method, performance.now() - began)
 *   }
 * })
 * ```
 */
export type ServerInterceptor = (
  ctx: Context,
  args: any,
  next: (args: any) => Promise<unknown>,
) => Promise<unknown>
