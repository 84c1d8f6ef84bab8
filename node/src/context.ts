// What a handler knows of the call that it serves.

import { bridge, cancellations, type Incoming } from './bridge'
import { type SerializeType, serializeName } from './codec'
import { Connection } from './connection'
import { RpcError } from './errors'
import { type Metadata, NO_PAIRS, readMetadata, writePairs } from './metadata'

const ROUND = 0x100000000

/**
 * The call that a handler serves: who calls, until when, with which metadata; and what goes back beside the reply.
 *
 * It may be used after the handler has ended; what it would have to ask the connection for is then no longer known.
 */
export class Context {
  readonly #request: Incoming
  readonly #deadline: number
  #metadata: Metadata | undefined
  #answer: Map<string, string> | undefined
  #abort: AbortController | undefined
  #peer: readonly [string, string] | undefined
  #connection: Connection | undefined
  #ended = false

  /** @internal */
  constructor(request: Incoming) {
    this.#request = request
    // The clock is only read for calls that have a deadline; NaN: none.
    this.#deadline = request.remaining === request.remaining ? performance.now() + request.remaining : NaN
  }

  /** The service path asked for; what it stands for, if that was an alias. */
  get service(): string {
    return this.#request.service
  }

  /** The method asked for; what it stands for, if that was an alias. */
  get method(): string {
    return this.#request.method
  }

  /** How the arguments are encoded, and so the reply. */
  get serializeType(): SerializeType {
    return serializeName(this.#request.serialize)
  }

  /** The arguments as they came. */
  get payload(): Buffer {
    return this.#request.payload
  }

  /** The caller waits for no answer. */
  get isOneway(): boolean {
    return this.#request.oneway
  }

  /** The request's metadata. Keys that begin with `__` are the protocol's own. */
  get metadata(): Metadata {
    return (this.#metadata ??= readMetadata(this.#request.metadata))
  }

  /** Milliseconds until the caller stops waiting, 0 when it has; undefined if it waits for ever. */
  get remaining(): number | undefined {
    return this.#deadline === this.#deadline ? Math.max(0, this.#deadline - performance.now()) : undefined
  }

  /** When the caller stops waiting, if ever. */
  get deadline(): Date | undefined {
    const left = this.remaining
    return left === undefined ? undefined : new Date(Date.now() + left)
  }

  /** The caller's address: `host:port`, or a Unix socket's path, which may be empty. */
  get peer(): string {
    return this.#caller()[0]
  }

  /** The subject of the caller's TLS certificate, as RFC 4514 writes it, if it showed one. */
  get tlsSubject(): string | undefined {
    return this.#caller()[1] || undefined
  }

  /** Aborted when nobody waits for the answer any more: cancelled, past its deadline, or the connection is gone. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = (this.#abort = new AbortController())
      if (!this.#ended) {
        const { index, round } = this.#request
        const tell = (): void =>
          abort.abort(new RpcError('the call was cancelled, or its deadline has passed', { reason: 'cancelled.server' }))
        if (bridge.watchRequest(index, round)) cancellations.set(index + round * ROUND, tell)
        else tell()
      }
    }
    return this.#abort.signal
  }

  /** Adds a pair to the answer's metadata, replacing an earlier one of that key. */
  setMetadata(key: string, value: string): void {
    ;(this.#answer ??= new Map<string, string>()).set(key, value)
  }

  /** The connection that the call came on, to push to or to close; it may be kept. */
  get connection(): Connection {
    if (this.#connection === undefined) {
      const { index, round } = this.#request
      const connection = this.#ended ? null : bridge.requestConnection(index, round)
      if (!connection) {
        throw new RpcError('take the connection before the handler ends', { reason: 'config.bad_argument' })
      }
      this.#connection = new Connection(connection)
    }
    return this.#connection
  }

  /**
   * Sends a message to the caller's client.
   *
   * @throws RpcError `limit` when too many wait, `closed`, `unsupported` when the client takes none
   */
  push(service: string, method: string, payload: Uint8Array | string, metadata?: Metadata): void {
    this.connection.push(service, method, payload, metadata)
  }

  #caller(): readonly [string, string] {
    if (this.#peer === undefined) {
      const { index, round } = this.#request
      const [peer = '', tls = ''] = (this.#ended ? null : bridge.requestPeer(index, round)) ?? []
      this.#peer = [peer, tls]
    }
    return this.#peer
  }

  /** @internal The answer's metadata; what has to be asked for is from now on no longer known. */
  end(): Buffer {
    this.#ended = true
    if (this.#abort !== undefined) cancellations.delete(this.#request.index + this.#request.round * ROUND)
    return this.#answer === undefined ? NO_PAIRS : writePairs(this.#answer)
  }

  /** @internal The metadata that calls made inside the handler may inherit. */
  inherited(): Buffer {
    const { metadata } = this.#request
    if (metadata.length === 0) return NO_PAIRS
    return writePairs(Object.entries(this.metadata).filter(([key]) => !key.startsWith('__')))
  }
}
