// A server: its services, where it listens, and its end.

import { type Asked, await_, bridge, judges, outbox, requestHandlers } from './bridge'
import { DoneWaiter } from './call'
import type { MethodTypes } from './codec/types'
import { Connection } from './connection'
import type { Context } from './context'
import { type Entry, serve } from './dispatch'
import { RpcError, closedError, native } from './errors'
import type { ServerInterceptor } from './interceptor'
import { Hold } from './keep-alive'
import { type Metadata, readMetadata } from './metadata'
import type { ServerOptions } from './options'
import { settings } from './settings'
import { Workers } from './workers'

/**
 * Serves a method: its decoded arguments in, its reply out, at once or later. What it throws goes to the caller.
 */
export type Handler<Args = any, Reply = any> = (args: Args, ctx: Context) => Reply | Promise<Reply>

/** Serves payloads as they are. The payload shares memory with others that came with it: copy what is kept. */
export type RawHandler = (payload: Buffer, ctx: Context) => RawReply | Promise<RawReply>

/** What a raw handler gives: bytes, text as UTF-8, or nothing. */
export type RawReply = Uint8Array | string | null | undefined | void

/** How a service or function is served. */
export interface ServeOptions {
  /** Message types by method, for Protocol Buffers and formats of one's own. */
  types?: Record<string, MethodTypes>
  /** Methods that neither cancellation nor their deadline stops. */
  toCompletion?: readonly string[]
  /**
   * Methods whose work is done by worker threads, child processes, or libraries that have threads: the options `worker_threads`
   * and `worker_queue` bound how many run and wait. Others run as they come.
   */
  blocking?: readonly string[]
}

/** What an authenticator is told beside the token. */
export interface AuthRequest {
  /** Service path. */
  readonly service: string
  /** Service method. */
  readonly method: string
  /** The request's metadata. */
  readonly metadata: Metadata
  /** The caller's address. */
  readonly peer: string
  /** The subject of the caller's TLS certificate, if it showed one. */
  readonly tlsSubject: string | undefined
}

/** Judges a token, empty when there is none: throws to refuse it. */
export type Authenticator = (token: string, request: AuthRequest) => void | Promise<void>

/** Where and how a server listens beside its options. */
export interface ListenOptions {
  /** Registries by URL, to announce the services to. */
  registries?: readonly string[]
  /** What is announced beside the address, as a query (`group=a&weight=7`): for all services, or by service path. */
  metadata?: string | Record<string, string>
  /** Threads of the library; default: one per core. */
  threads?: number
}

/** How a server is shut down. */
export interface ShutdownOptions {
  /** Milliseconds to wait for requests under way; default 10,000. */
  timeout?: number
  /** Leave the registries as they are. */
  keepRegistered?: boolean
}

/** Numbers of handlers and authenticators in this environment. */
let numbers = 0

/**
 * A server of any number of services, on any number of addresses.
 *
 * While it listens it keeps the process going, until it is closed, or {@link unref}erenced.
 *
 * ```ts
 * const server = new Server()
 * server.service('Arith', { Mul: ({ A, B }) => ({ C: A * B }) })
 * await server.listen('tcp@127.0.0.1:8972')
 * process.once('SIGTERM', () => server.shutdown())
 * ```
 */
export class Server {
  readonly #options: [string, string][]
  readonly #entries: Entry[] = []
  readonly #aliases: { service: string; method: string; realService: string; realMethod: string }[] = []
  readonly #interceptors: ServerInterceptor[] = []
  readonly #hold = new Hold()
  #fallback: Entry | undefined
  #authenticator: Authenticator | undefined
  #started = false
  #number: number | undefined
  #ended: Promise<void> | undefined

  /** Names and ranges of options are checked by {@link listen}. */
  constructor(options: ServerOptions = {}) {
    this.#options = settings(options)
    this.#hold.unref()
  }

  /** Serves the methods of an object, those of its class included; names that begin with `_` are left out. */
  service(name: string, implementation: object, options: ServeOptions = {}): this {
    for (const method of methodsOf(implementation)) {
      const run = (implementation as Record<string, Handler>)[method]!
      this.#add(name, method, (args, ctx) => run.call(implementation, args, ctx), false, options)
    }
    return this
  }

  /** Serves a single function as a method. */
  function<Args = any, Reply = any>(
    service: string,
    method: string,
    handler: Handler<Args, Reply>,
    options: ServeOptions = {},
  ): this {
    return this.#add(service, method, handler, false, options)
  }

  /** Serves payloads as they are, in every serialize type. */
  raw(service: string, method: string, handler: RawHandler, options: ServeOptions = {}): this {
    return this.#add(service, method, handler, true, options)
  }

  /** Gives a method another name. */
  alias(service: string, method: string, realService: string, realMethod: string): this {
    this.#aliases.push({ service, method, realService, realMethod })
    return this
  }

  /** Serves what no method serves: payloads as they are. */
  fallback(handler: RawHandler): this {
    this.#fallback = { service: '', method: '', run: handler, raw: true, types: undefined, toCompletion: false, blocking: false }
    return this
  }

  /** Has the token of every request judged. */
  authenticator(check: Authenticator): this {
    this.#authenticator = check
    return this
  }

  /** Runs an interceptor around each handler; the first one added is outermost. Before {@link listen}. */
  use(interceptor: ServerInterceptor): this {
    this.#interceptors.push(interceptor)
    return this
  }

  /**
   * Listens on addresses (`tcp@127.0.0.1:0`, `unix@/run/x.sock`) and serves. Once only.
   *
   * @throws RpcError `config` for an option or address that is none, or an address that cannot be bound
   */
  async listen(addresses: string | readonly string[], options: ListenOptions = {}): Promise<this> {
    if (this.#started) throw new RpcError('a server listens once', { reason: 'config.bad_argument' })
    this.#started = true
    const { metadata = [] } = options
    const manner = {
      interceptors: this.#interceptors.slice(),
      workers: new Workers(this.#option('worker_threads', 32), this.#option('worker_queue', 4096)),
      panicText: this.#options.findLast(([name]) => name === 'panic_text')?.[1] !== 'false',
    }
    const handlers: number[] = []
    const handler = (entry: Entry): number => {
      const number = numbers++
      requestHandlers.set(number, serve(entry, manner))
      handlers.push(number)
      return number
    }
    const judge = this.#authenticator && judged(this.#authenticator)
    this.#hold.ref()
    const end = (): void => {
      for (const number of handlers) requestHandlers.delete(number)
      if (judge !== undefined) judges.delete(judge)
      this.#hold.end()
    }
    try {
      const config = {
        listen: typeof addresses === 'string' ? [addresses] : [...addresses],
        options: this.#options,
        registries: [...(options.registries ?? [])],
        metadata: typeof metadata === 'string' ? [['', metadata] as [string, string]] : Object.entries(metadata),
        threads: options.threads ?? 0,
        methods: this.#entries.map((entry) => ({ ...name(entry), handler: handler(entry) })),
        aliases: this.#aliases,
        ...(this.#fallback && { fallback: handler(this.#fallback) }),
        ...(judge !== undefined && { authenticator: judge }),
      }
      this.#number = await held((ticket) => bridge.startServer(config, ticket))
    } catch (error) {
      end()
      throw error
    }
    const number = this.#number
    this.#ended = told((ticket) => bridge.waitServer(number, ticket)).then(end)
    return this
  }

  /** Where it listens, in the order given, with the real ports. */
  get addresses(): string[] {
    return native(() => bridge.addresses(this.#running()))
  }

  /** What it has counted: requests, errors by reason, bytes, connections, latencies. */
  stats(): Record<string, any> {
    return JSON.parse(native(() => bridge.serverStats(this.#running()))) as Record<string, any>
  }

  /** The same as Prometheus reads it; `name` tells several servers apart. */
  metrics(name = 'default'): string {
    return native(() => bridge.serverMetrics(this.#running(), name))
  }

  /** Replaces what registries are told beside the address: for a service, or with an empty path for all. */
  setMetadata(service: string, metadata: string): void {
    native(() => bridge.setServerMetadata(this.#running(), service, metadata))
  }

  /** The connections of its clients. */
  connections(): Connection[] {
    return native(() => bridge.connections(this.#running())).map((connection) => new Connection(connection))
  }

  /** Resolves when it has ended, however that came. */
  async closed(): Promise<void> {
    await this.#ended
  }

  /** Ends it at once. Idempotent. */
  close(): void {
    // What was answered before has been answered.
    outbox.flush()
    if (this.#number !== undefined) bridge.closeServer(this.#number)
    this.#hold.unref()
  }

  /**
   * Ends it without losing an accepted request: leaves the registries, closes the listeners, waits for the requests under
   * way. Idempotent.
   *
   * @throws RpcError `timeout` when calls were cut off
   */
  async shutdown({ timeout = 10_000, keepRegistered = false }: ShutdownOptions = {}): Promise<void> {
    const number = this.#number
    if (number === undefined) return
    outbox.flush()
    await held((ticket) => bridge.shutdownServer(number, timeout, keepRegistered, ticket))
    await this.#ended
  }

  /** A server that listens keeps the process going; the default. */
  ref(): this {
    if (this.#started) this.#hold.ref()
    return this
  }

  /** The process may end although the server listens; after {@link listen}. */
  unref(): this {
    this.#hold.unref()
    return this
  }

  /** Shuts it down: `await using server = await new Server().listen(…)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  /** A whole number among the options; whether it is one is checked elsewhere. */
  #option(name: string, unset: number): number {
    const text = this.#options.findLast(([known]) => known === name)?.[1]
    return text === undefined ? unset : Number(text)
  }

  #running(): number {
    if (this.#number === undefined) throw closedError('server')
    return this.#number
  }

  #add(service: string, method: string, run: Handler, raw: boolean, options: ServeOptions): this {
    const toCompletion = options.toCompletion?.includes(method) ?? false
    const blocking = options.blocking?.includes(method) ?? false
    this.#entries.push({ service, method, run, raw, types: options.types?.[method], toCompletion, blocking })
    return this
  }
}

/** Something that a ticket tells of: the number that comes with it. */
function told(start: (ticket: number) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const ticket = await_(new DoneWaiter(resolve, reject))
    native(() => start(ticket))
  })
}

/** The same, for which the process goes on. */
function held(start: (ticket: number) => void): Promise<number> {
  const hold = new Hold()
  return told(start).finally(() => hold.end())
}

function name({ service, method, toCompletion }: Entry): Pick<Entry, 'service' | 'method' | 'toCompletion'> {
  return { service, method, toCompletion }
}

/** The functions of an object and of its classes, by name. */
function methodsOf(implementation: object): Set<string> {
  const names = new Set<string>()
  for (let at: object | null = implementation; at !== null && at !== Object.prototype; at = parentOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name === 'constructor' || name.startsWith('_')) continue
      if (typeof Object.getOwnPropertyDescriptor(at, name)?.value === 'function') names.add(name)
    }
  }
  return names
}

function parentOf(object: object): object | null {
  return Object.getPrototypeOf(object) as object | null
}

/** The number of an authenticator. */
function judged(check: Authenticator): number {
  const number = numbers++
  judges.set(number, (asked, answer) => {
    judge(check, asked).then(
      () => answer(),
      (error: unknown) => answer(error instanceof Error ? error.message : String(error)),
    )
  })
  return number
}

async function judge(check: Authenticator, { token, tls, metadata, ...request }: Asked): Promise<void> {
  await check(token, { ...request, metadata: readMetadata(metadata), tlsSubject: tls || undefined })
}
