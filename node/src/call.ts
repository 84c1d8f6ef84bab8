// One call: its options, and what it comes to.

import { type Answer, type Waiter, await_, bridge, outbox } from './bridge'
import { RAW, decodeValue, encodeValue, serializeNumber } from './codec'
import type { MethodTypes } from './codec/types'
import type { Context } from './context'
import { currentContext } from './context-storage'
import { RpcError } from './errors'
import { type Metadata, NO_PAIRS, readMetadata, writePairs } from './metadata'
import type { CallSettings } from './options'
import { CallFlag, Operation, type Outgoing } from './outbox'
import { settings } from './settings'

/** Options of one call. What is left out takes the client's value. */
export interface CallOptions extends CallSettings {
  /** Sent with the request. */
  metadata?: Metadata | undefined
  /** Cancels the call, which then rejects with the signal's reason. Its server is told. */
  signal?: AbortSignal | undefined
  /**
   * The call that this one is made for, from which it inherits the deadline and the metadata that `propagate_metadata` names.
   * Default: the call in whose handler it is made. `null`: none.
   */
  parent?: Context | null | undefined
}

/** What a server answered. */
export class Response<T = unknown> {
  readonly #answer: Answer

  /** @internal */
  constructor(
    /** The decoded reply. */
    readonly value: T,
    answer: Answer,
  ) {
    this.#answer = answer
  }

  /** Attempts that were made, failed dials included. */
  get attempts(): number {
    return this.#answer.attempts
  }

  /** The response metadata. */
  get metadata(): Metadata {
    return readMetadata(this.#answer.metadata)
  }

  /** The server that answered, as in the discovery. */
  get server(): string {
    return this.#answer.server
  }
}

/** What one server answered to an `inform`. */
export type InformReply<T = unknown> =
  | { readonly server: string; readonly response: Response<T>; readonly error?: undefined }
  | { readonly server: string; readonly response?: undefined; readonly error: RpcError }

/** A method as calls know it. */
export interface Target {
  /** The native part's number of it. */
  readonly number: number
  /** How arguments are encoded unless the call says otherwise. */
  readonly serialize: number
  /** Payloads go and come as they are. */
  readonly raw: boolean
  readonly types: MethodTypes | undefined
  /** The client: held, so that it is not collected with calls under way. */
  readonly owner: object
}

/** The longest time that an option takes, in milliseconds. */
const LONGEST = 365 * 24 * 3600 * 1000

/** A call on its way, but for its payload. */
class Draft implements Outgoing {
  ticket = 0
  flags = 0
  timeout = NaN
  metadata: Buffer = NO_PAIRS
  remaining = NaN
  inherited: Buffer = NO_PAIRS
  settings: Buffer = NO_PAIRS
  readonly method: number
  serialize: number
  signal: AbortSignal | undefined = undefined

  constructor(
    readonly operation: Operation,
    target: Target,
    options: CallOptions | undefined,
  ) {
    this.method = target.number
    this.serialize = target.serialize
    let parent: Context | null | undefined
    if (options !== undefined) {
      this.read(options)
      parent = options.parent
    }
    if (parent === undefined) parent = currentContext()
    if (parent) {
      this.flags |= CallFlag.WithParent
      this.remaining = parent.remaining ?? NaN
      this.inherited = parent.inherited()
    } else if (parent === null) {
      this.flags |= CallFlag.WithoutParent
    }
  }

  private read(options: CallOptions): void {
    const { metadata, signal, serialize_type, timeout, ...rest } = options
    delete rest.parent
    if (metadata !== undefined) this.metadata = writePairs(Object.entries(metadata))
    if (serialize_type !== undefined) this.serialize = serializeNumber(serialize_type)
    const others = settings(rest)
    // What the table would refuse goes there, to be refused by name.
    if (typeof timeout === 'number' && (timeout === 0 || (timeout >= 1 && timeout <= LONGEST))) this.timeout = timeout
    else if (timeout !== undefined) others.push(['timeout', String(timeout)])
    if (others.length > 0) this.settings = writePairs(others)
    if (signal !== undefined) {
      this.signal = signal
      this.flags |= CallFlag.Cancellable
    }
  }

  /** Sends it; `waiter` learns of its end. */
  send(payload: Uint8Array, waiter: Waiter): void {
    const { signal } = this
    if (signal === undefined) {
      this.ticket = await_(waiter)
    } else {
      const abortable = new Abortable(waiter, signal)
      this.ticket = await_(abortable)
      abortable.watch(this.ticket)
    }
    outbox.call(this, payload)
  }
}

/** The calls that a signal cancels. One listener for all of them: Node warns of a signal with many. */
const abortables = new WeakMap<AbortSignal, Set<Abortable>>()

function abortablesOf(signal: AbortSignal): Set<Abortable> {
  let calls = abortables.get(signal)
  if (calls === undefined) {
    const all = (calls = new Set<Abortable>())
    abortables.set(signal, all)
    signal.addEventListener('abort', () => {
      // They may not have crossed yet.
      outbox.flush()
      for (const call of all) call.abort()
    }, { once: true })
  }
  return calls
}

/** A waiter whose call a signal cancels. */
class Abortable implements Waiter {
  private readonly calls: Set<Abortable>
  private ticket = 0

  constructor(
    private readonly waiter: Waiter,
    private readonly signal: AbortSignal,
  ) {
    this.calls = abortablesOf(signal)
  }

  get owner(): object | undefined {
    return this.waiter.owner
  }

  watch(ticket: number): void {
    this.ticket = ticket
    this.calls.add(this)
  }

  abort(): void {
    bridge.cancel(this.ticket)
  }

  private end(): Waiter {
    this.calls.delete(this)
    return this.waiter
  }

  reply(answer: Answer): void {
    this.end().reply?.(answer)
  }

  done(value: number): void {
    this.end().done?.(value)
  }

  inform(answers: (Answer | RpcError)[]): void {
    this.end().inform?.(answers)
  }

  fail(error: RpcError): void {
    const { signal } = this
    // The caller sees its own reason.
    this.end().fail(signal.aborted && error.kind === 'cancelled' ? (signal.reason as RpcError) : error)
  }
}

type Resolve<T> = (value: T) => void
type Reject = (error: unknown) => void

/** Waits for a reply, of which it hands on the value alone or all. */
class ReplyWaiter implements Waiter {
  get owner(): object {
    return this.target.owner
  }

  constructor(
    private readonly target: Target,
    private readonly serialize: number,
    private readonly whole: boolean,
    private readonly resolve: Resolve<any>,
    private readonly reject: Reject,
  ) {}

  reply(answer: Answer): void {
    try {
      const value = decodeReply(this.serialize, this.target, answer)
      this.resolve(this.whole ? new Response(value, answer) : value)
    } catch (error) {
      this.reject(located(error, answer))
    }
  }

  fail(error: RpcError): void {
    this.reject(error)
  }
}

/** An error of decoding, with where the reply came from. */
function located(error: unknown, answer: Answer): unknown {
  if (!(error instanceof RpcError)) return error
  const { message, reason, delivery, cause } = error
  return new RpcError(message, { reason, delivery, cause, attempts: answer.attempts, server: answer.server })
}

class InformWaiter implements Waiter {
  get owner(): object {
    return this.target.owner
  }

  constructor(
    private readonly target: Target,
    private readonly serialize: number,
    private readonly resolve: Resolve<InformReply<any>[]>,
    readonly fail: Reject,
  ) {}

  inform(answers: (Answer | RpcError)[]): void {
    this.resolve(answers.map((answer) => this.one(answer)))
  }

  private one(answer: Answer | RpcError): InformReply<any> {
    if (answer instanceof RpcError) return { server: answer.server ?? '', error: answer }
    const server = answer.server
    try {
      const value = decodeReply(this.serialize, this.target, answer)
      return { server, response: new Response(value, answer) }
    } catch (error) {
      return { server, error: located(error, answer) as RpcError }
    }
  }
}

/** Waits for an end without a value. */
export class DoneWaiter implements Waiter {
  constructor(
    readonly done: (value: number) => void,
    readonly fail: Reject,
    /** The client, if it is of one. */
    readonly owner?: object,
  ) {}
}

function encodeArgs(draft: Draft, target: Target, value: unknown): Uint8Array {
  return encodeValue(target.raw ? RAW : draft.serialize, value, target.types, 'request')
}

function decodeReply(serialize: number, target: Target, answer: Answer): unknown {
  return decodeValue(target.raw ? RAW : serialize, answer.payload, target.types, 'reply')
}

/** Makes a call, of which the value alone or all is wanted. */
export function call(
  operation: Operation,
  target: Target,
  value: unknown,
  options: CallOptions | undefined,
  whole: boolean,
): Promise<any> {
  return new Promise((resolve, reject) => {
    // Most calls: nothing but a value, outside of handlers.
    if (options === undefined && currentContext() === undefined) {
      const { serialize } = target
      const payload = encodeValue(target.raw ? RAW : serialize, value, target.types, 'request')
      const ticket = await_(new ReplyWaiter(target, serialize, whole, resolve, reject))
      return outbox.plain(operation, serialize, ticket, target.number, payload)
    }
    const draft = new Draft(operation, target, options)
    if (draft.signal?.aborted === true) return reject(draft.signal.reason)
    const payload = encodeArgs(draft, target, value)
    draft.send(payload, new ReplyWaiter(target, draft.serialize, whole, resolve, reject))
  })
}

/** Asks every server. */
export function inform(target: Target, value: unknown, options: CallOptions | undefined): Promise<InformReply<any>[]> {
  return new Promise((resolve, reject) => {
    const draft = new Draft(Operation.Inform, target, options)
    if (draft.signal?.aborted === true) return reject(draft.signal.reason)
    const payload = encodeArgs(draft, target, value)
    draft.send(payload, new InformWaiter(target, draft.serialize, resolve, reject))
  })
}

/** Sends what nobody answers. */
export function send(
  operation: Operation.Oneway | Operation.Oneshot,
  target: Target,
  value: unknown,
  options: CallOptions | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const draft = new Draft(operation, target, options)
    if (draft.signal?.aborted === true) return reject(draft.signal.reason)
    const payload = encodeArgs(draft, target, value)
    draft.send(payload, new DoneWaiter(() => resolve(), reject, target.owner))
  })
}
