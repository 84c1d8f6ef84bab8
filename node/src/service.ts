// A service of a client: its methods, and the ways to call them.

import { type CallOptions, type InformReply, type Response, type Target, call, inform, send } from './call'
import type { Client } from './client'
import { PROTOBUF, type SerializeType, serializeNumber } from './codec'
import type { MethodTypes } from './codec/types'
import type { ClientCall, Outcome } from './interceptor'
import { Operation } from './outbox'

/** Methods by name, as an interface or class declares them; `any` where nothing is declared. */
export type Methods = Record<string, (args: any, ...rest: any[]) => any>

/** What is declared of a service whose types are not known. */
export type AnyMethods = Record<string, (args?: any) => any>

type Name<S> = Extract<keyof S, string>
type Fn<S, M extends keyof S> = S[M] extends (...args: any[]) => any ? S[M] : never
/** The arguments that a method takes. */
export type ArgsOf<S, M extends keyof S> = Parameters<Fn<S, M>>[0]
/** The reply that a method gives. */
export type ReplyOf<S, M extends keyof S> = Awaited<ReturnType<Fn<S, M>>>

/** How a service's messages are encoded. */
export interface ServiceOptions {
  /** How arguments and replies are encoded; default: `protobuf` for methods with `types`, else the client's. */
  serialize_type?: SerializeType
  /** Arguments are payloads that are encoded already, replies are payloads as they come, whatever the serialize type. */
  raw?: boolean
  /** Message types by method, for Protocol Buffers and formats of one's own. */
  types?: Record<string, MethodTypes>
}

/**
 * A service of a client. Make it once and keep it.
 *
 * ```ts
 * interface Arith {
 *   Mul(args: { A: number; B: number }): { C: number }
 * }
 * const arith = client.service<Arith>('Arith')
 * const { C } = await arith.call('Mul', { A: 6, B: 7 })
 * ```
 */
export class Service<S = AnyMethods> {
  readonly #client: Client
  readonly #targets = new Map<string, Target>()
  readonly #options: ServiceOptions

  /** @internal */
  constructor(
    client: Client,
    /** The service path. */
    readonly name: string,
    options: ServiceOptions,
  ) {
    this.#client = client
    this.#options = options
  }

  /**
   * Calls a method and resolves with its reply.
   *
   * @throws RpcError, or the reason of `options.signal`
   */
  call<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<ReplyOf<S, M>> {
    try {
      if (this.#client.interceptors.length > 0) {
        return this.#intercepted('call', method, args, options).then((outcome) => (outcome as Response<any>).value)
      }
      return call(Operation.Call, this.#target(method), args, options, false)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Calls a method and resolves with the reply and what came with it: metadata, server, attempts. */
  callWith<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<Response<ReplyOf<S, M>>> {
    return this.#run('call', method, args, options) as Promise<Response<ReplyOf<S, M>>>
  }

  /** Calls every server; all must succeed. Resolves with the first reply. */
  broadcast<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<Response<ReplyOf<S, M>>> {
    return this.#run('broadcast', method, args, options) as Promise<Response<ReplyOf<S, M>>>
  }

  /** Calls every server; the first reply wins and cancels the others. */
  fork<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<Response<ReplyOf<S, M>>> {
    return this.#run('fork', method, args, options) as Promise<Response<ReplyOf<S, M>>>
  }

  /** Calls every server and resolves with what each answered, failures included, by address. */
  inform<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<InformReply<ReplyOf<S, M>>[]> {
    return this.#run('inform', method, args, options) as Promise<InformReply<ReplyOf<S, M>>[]>
  }

  /** Sends a request that is never answered; resolves when a connection has taken it. */
  oneway<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<void> {
    return this.#run('oneway', method, args, options) as Promise<void>
  }

  /** Sends a request that is never answered, without waiting for a connection; what fails later is only logged. */
  oneshot<M extends Name<S>>(method: M, args?: ArgsOf<S, M>, options?: CallOptions): Promise<void> {
    return this.#run('oneshot', method, args, options) as Promise<void>
  }

  #run(form: ClientCall['form'], method: string, args: unknown, options: CallOptions | undefined): Promise<Outcome> {
    try {
      if (this.#client.interceptors.length > 0) return this.#intercepted(form, method, args, options)
      return this.#start(form, method, args, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #start(form: ClientCall['form'], method: string, args: unknown, options: CallOptions | undefined): Promise<Outcome> {
    const target = this.#target(method)
    switch (form) {
      case 'call':
        return call(Operation.Call, target, args, options, true)
      case 'broadcast':
        return call(Operation.Broadcast, target, args, options, true)
      case 'fork':
        return call(Operation.Fork, target, args, options, true)
      case 'inform':
        return inform(target, args, options)
      case 'oneway':
        return send(Operation.Oneway, target, args, options)
      case 'oneshot':
        return send(Operation.Oneshot, target, args, options)
    }
  }

  /** Through the client's interceptors, the first one outermost. */
  async #intercepted(
    form: ClientCall['form'],
    method: string,
    args: unknown,
    options: CallOptions | undefined,
  ): Promise<Outcome> {
    const interceptors = this.#client.interceptors.slice()
    const at = (index: number, call: ClientCall): Promise<Outcome> => {
      const interceptor = interceptors[index]
      if (interceptor === undefined) return this.#start(call.form, call.method, call.args, call.options)
      return interceptor(call, (inner) => at(index + 1, inner))
    }
    return at(0, { form, service: this.name, method, args, options: { ...options } })
  }

  #target(method: string): Target {
    let target = this.#targets.get(method)
    if (target === undefined) {
      const types = this.#options.types?.[method]
      const { serialize_type } = this.#options
      const serialize =
        serialize_type !== undefined ? serializeNumber(serialize_type) : types ? PROTOBUF : this.#client.serialize
      target = { number: this.#client.method(this.name, method), serialize, raw: this.#options.raw ?? false, types, owner: this.#client }
      this.#targets.set(method, target)
    }
    return target
  }
}
