// A client's connection to a server.

import { native } from './errors'
import type { Metadata } from './metadata'
import type { NativeConnection } from './native-types'

/** A client's connection to a server. Holding it does not keep it open. */
export class Connection {
  readonly #native: NativeConnection

  /** @internal */
  constructor(connection: NativeConnection) {
    this.#native = connection
  }

  /** A number that no other connection of this process has. */
  get id(): number {
    return this.#native.id
  }

  /** The client's address. */
  get peer(): string {
    return this.#native.peer
  }

  /** It has not ended. */
  get isOpen(): boolean {
    return this.#native.open
  }

  /**
   * Sends a message to the client.
   *
   * @throws RpcError `limit` when too many wait, `closed`, `unsupported` when the client takes none
   */
  push(service: string, method: string, payload: Uint8Array | string, metadata: Metadata = {}): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload)
    native(() => this.#native.push(service, method, Object.entries(metadata).flat(), bytes))
  }

  /** Ends it without a word. */
  close(): void {
    this.#native.close()
  }
}
