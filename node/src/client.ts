// A client: where its servers are, its services, what they push, and its end.

import { await_, bridge, outbox, pushSinks, settled } from './bridge'
import { type CallOptions, DoneWaiter, type Response } from './call'
import { MSGPACK, type SerializeType, serializeNumber } from './codec'
import { closedError, native } from './errors'
import type { ClientInterceptor } from './interceptor'
import { Hold } from './keep-alive'
import type { ClientOptions } from './options'
import { PushQueue, type Pushes } from './push'
import { type AnyMethods, Service, type ServiceOptions } from './service'
import { settings } from './settings'

/** One call of a batch. */
export interface BatchCall {
  /** A service of this client, or a service path. */
  service: Service<any> | string
  /** Service method. */
  method: string
  /** The arguments. */
  args?: unknown
  /** Options of this call. */
  options?: CallOptions
}

/** What a client holds of the native part; apart from it, so that it can be let go when the client is collected. */
class Handle {
  readonly hold = new Hold()
  readonly methods = new Map<string, number>()
  closed = false

  constructor(readonly number: number) {}

  close(): void {
    if (this.closed) return
    this.closed = true
    this.hold.end()
    // What was called before has been called.
    outbox.flush()
    bridge.closeClient(this.number)
    bridge.releaseMethods([...this.methods.values()])
    this.methods.clear()
  }
}

const collected = new FinalizationRegistry<Handle>((handle) => {
  handle.close()
  pushSinks.delete(handle.number)
  bridge.releaseClient(handle.number)
})

/**
 * A client of any number of services.
 *
 * It connects with the first call. An open client keeps the process going until it is closed, or {@link unref}erenced.
 *
 * ```ts
 * const client = new Client('tcp@127.0.0.1:8972', { timeout: 1000 })
 * const { C } = await client.service('Arith').call('Mul', { A: 6, B: 7 })
 * client.close()
 * ```
 */
export class Client {
  readonly #handle: Handle
  #pushes: PushQueue | undefined
  readonly #pushLimit: number
  /** @internal */
  readonly interceptors: ClientInterceptor[] = []
  /** @internal */
  readonly serialize: number

  /**
   * @param discovery an address (`tcp@127.0.0.1:8972`), the URL of a discovery (`multiple://…`), or a list of addresses, each
   *   with its node metadata if it has any (`tcp@127.0.0.1:8972?weight=7`)
   * @throws RpcError `config` for an option or address that is none
   */
  constructor(discovery: string | readonly string[], options: ClientOptions = {}) {
    const pairs = settings(options)
    this.serialize = defaultType(pairs)
    const config =
      typeof discovery === 'string' ? { url: discovery, options: pairs } : { nodes: [...discovery], options: pairs }
    this.#handle = new Handle(native(() => bridge.openClient(config)))
    this.#pushLimit = options.push_queue ?? 1024
    collected.register(this, this.#handle, this)
  }

  /**
   * A service by its path, with the methods that `S` declares.
   *
   * @throws RpcError `config` for a name that cannot be one
   */
  service<S = AnyMethods>(name: string, options: ServiceOptions = {}): Service<S> {
    return new Service<S>(this, name, options)
  }

  /** Runs an interceptor around each call from now on; the first one added is outermost. */
  use(interceptor: ClientInterceptor): this {
    this.interceptors.push(interceptor)
    return this
  }

  /** Makes calls together, in one write where they go to one server. Resolves when all have ended, in their order. */
  batch(calls: readonly BatchCall[]): Promise<PromiseSettledResult<Response<any>>[]> {
    const services = new Map<string, Service>()
    const promises = calls.map(({ service, method, args, options }) => {
      if (typeof service !== 'string') return service.callWith(method, args, options)
      let found = services.get(service)
      if (found === undefined) services.set(service, (found = this.service(service)))
      return found.callWith(method, args, options)
    })
    return Promise.allSettled(promises)
  }

  /**
   * Messages that servers send on their own, each to one of the loops that run. A loop ends when the client is closed. At
   * most 64 are taken ahead of the loops, and no more than `push_queue`; as many again as that option says wait behind them.
   * What becomes of others the option `push_overflow` says.
   *
   * ```ts
   * for await (const push of client.pushes()) console.log(push.method, push.payload.toString())
   * ```
   */
  pushes(): Pushes {
    if (this.#pushes === undefined) {
      const { number } = this.#handle
      const queue = new PushQueue(this.#pushLimit, (count) => bridge.releasePushes(number, count))
      pushSinks.set(number, (push) => (push === undefined ? queue.end() : queue.put(push)))
      this.#pushes = queue
      if (this.#handle.closed) queue.end()
      else native(() => bridge.takePushes(number, queue.ahead))
    }
    return this.#pushes.reader()
  }

  /**
   * Replaces the servers of a client that was made from a list of addresses, or from `multiple://`.
   *
   * @throws RpcError `config`
   */
  setNodes(nodes: readonly string[]): void {
    native(() => bridge.setNodes(this.#handle.number, [...nodes]))
  }

  /** What it has counted: calls, errors by reason, bytes, connections, latencies. */
  stats(): ClientStats {
    return JSON.parse(native(() => bridge.clientStats(this.#handle.number))) as ClientStats
  }

  /** The same as Prometheus reads it; `name` tells several clients apart. */
  metrics(name = 'default'): string {
    return native(() => bridge.clientMetrics(this.#handle.number, name))
  }

  /** It has been closed. */
  get closed(): boolean {
    return this.#handle.closed
  }

  /** Ends it at once: calls under way reject with `RPCX_CLOSED`, and so do later ones. Idempotent. */
  close(): void {
    if (this.#handle.closed) return
    // Calls under way learn of it before the process may end.
    const hold = new Hold()
    void settled(this).then(() => hold.end())
    this.#handle.close()
  }

  /**
   * Takes no new calls, waits for those under way, then closes. Idempotent.
   *
   * @param timeout milliseconds to wait at most; default 10,000
   * @throws RpcError `timeout` when calls were cut off
   */
  async shutdown(timeout = 10_000): Promise<void> {
    if (this.#handle.closed) return
    outbox.flush()
    const hold = new Hold()
    try {
      await new Promise<void>((resolve, reject) => {
        const ticket = await_(new DoneWaiter(() => resolve(), reject))
        native(() => bridge.shutdownClient(this.#handle.number, timeout, ticket))
      })
    } finally {
      this.close()
      hold.end()
    }
  }

  /** An open client keeps the process going; the default. */
  ref(): this {
    this.#handle.hold.ref()
    return this
  }

  /** The process may end although the client is open. */
  unref(): this {
    this.#handle.hold.unref()
    return this
  }

  /** Closes it: `await using client = new Client(…)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  /** @internal The native part's number of a method. */
  method(service: string, method: string): number {
    if (this.#handle.closed) throw closedError('client')
    const name = `${service}\0${method}`
    let number = this.#handle.methods.get(name)
    if (number === undefined) {
      number = native(() => bridge.method(this.#handle.number, service, method))
      this.#handle.methods.set(name, number)
    }
    return number
  }
}

/** What a client has counted; see docs/METRICS.md. */
export interface ClientStats {
  /** Calls that have ended. */
  calls: number
  /** Of these, failures by kind. */
  errors: Record<string, number>
  /** Calls under way. */
  in_flight: number
  /** Bytes read. */
  bytes_in: number
  /** Bytes written. */
  bytes_out: number
  /** Connections. */
  connections: { opened: number; failed: number; closed: number; [more: string]: number }
  [more: string]: unknown
}

/** The serialize type that a client's options name. */
function defaultType(pairs: [string, string][]): number {
  const given = pairs.find(([name]) => name === 'serialize_type')?.[1]
  if (given === undefined) return MSGPACK
  const number = Number(given)
  return serializeNumber((Number.isInteger(number) && given !== '' ? number : given) as SerializeType)
}
