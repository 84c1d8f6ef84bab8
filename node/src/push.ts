// Messages that servers send on their own.

import { decodeValue, serializeName, type SerializeType } from './codec'
import type { Pushed } from './bridge'
import { type Metadata, readMetadata } from './metadata'

/** A message that a server sent on its own. */
export class Push {
  /** Service path. */
  readonly service: string
  /** Service method. */
  readonly method: string
  /** The server, as in the discovery. */
  readonly server: string
  /** How the payload is encoded. */
  readonly serializeType: SerializeType
  /** The payload as it came. */
  readonly payload: Buffer
  readonly #pushed: Pushed

  /** @internal */
  constructor(pushed: Pushed) {
    this.service = pushed.service
    this.method = pushed.method
    this.server = pushed.server
    this.serializeType = serializeName(pushed.serialize)
    this.payload = pushed.payload
    this.#pushed = pushed
  }

  /** The message's metadata. */
  get metadata(): Metadata {
    return readMetadata(this.#pushed.metadata)
  }

  /**
   * The payload decoded, where its format needs no types.
   *
   * @throws RpcError `codec`
   */
  value(): unknown {
    return decodeValue(this.#pushed.serialize, this.payload, undefined, 'reply')
  }
}

/** A loop over messages. `return()` ends it, also while it waits. */
export type Pushes = AsyncGenerator<Push, void, void>

type Resolve = (result: IteratorResult<Push, void>) => void

const END: IteratorResult<Push, void> = { done: true, value: undefined }

/** The most messages that are taken from the client ahead of their readers. */
const AHEAD = 64

/** Messages that wait for a reader, or readers that wait for a message. */
export class PushQueue {
  private readonly messages: Push[] = []
  private readonly readers: { owner: object; resolve: Resolve }[] = []
  private ended = false
  /** How many messages the client hands over before readers have taken some. */
  readonly ahead: number
  private taken = 0

  constructor(
    limit: number,
    private readonly release: (count: number) => void,
  ) {
    this.ahead = Math.max(1, Math.min(limit, AHEAD))
  }

  put(pushed: Pushed): void {
    const reader = this.readers.shift()
    const push = new Push(pushed)
    if (reader === undefined) {
      this.messages.push(push)
    } else {
      reader.resolve({ done: false, value: push })
      this.took()
    }
  }

  /** A reader has a message: when it is half of those ahead, as many more may come. */
  private took(): void {
    if (++this.taken * 2 < this.ahead) return
    this.release(this.taken)
    this.taken = 0
  }

  end(): void {
    this.ended = true
    for (const { resolve } of this.readers.splice(0)) resolve(END)
  }

  reader(): Pushes {
    const owner = {}
    let over = false
    const next = (): Promise<IteratorResult<Push, void>> => {
      if (over) return Promise.resolve(END)
      const value = this.messages.shift()
      if (value !== undefined) {
        this.took()
        return Promise.resolve({ done: false, value })
      }
      if (this.ended) return Promise.resolve(END)
      return new Promise((resolve) => this.readers.push({ owner, resolve }))
    }
    const stop = (): Promise<IteratorResult<Push, void>> => {
      over = true
      for (let at = this.readers.length - 1; at >= 0; at--) {
        if (this.readers[at]!.owner === owner) this.readers.splice(at, 1)[0]!.resolve(END)
      }
      return Promise.resolve(END)
    }
    const reader = {
      next,
      return: stop,
      throw: async (error: unknown) => {
        await stop()
        throw error
      },
      [Symbol.asyncIterator]: () => reader,
    }
    return reader as unknown as Pushes
  }
}
