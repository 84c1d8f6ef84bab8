// Room for handlers whose work is done elsewhere: in worker threads, child processes, or libraries that have threads.

import { RpcError } from './errors'
import type { Handler } from './server'

/** Lets so many handlers run, and so many more wait. */
export class Workers {
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(
    private readonly threads: number,
    private readonly queue: number,
  ) {}

  /** The handler, which waits for room. One for which there is not even room to wait is refused: `overload.workers`. */
  around(run: Handler): Handler {
    return async (args, ctx) => {
      await this.#enter()
      try {
        return (await run(args, ctx)) as unknown
      } finally {
        this.#leave()
      }
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < this.threads) {
      this.#running++
      return
    }
    if (this.#waiting.length >= this.queue) {
      const text = `worker_queue: ${this.queue} requests wait for ${this.threads} workers already`
      throw new RpcError(text, { reason: 'overload.workers' })
    }
    // Whoever leaves hands its room over.
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running--
    else next()
  }
}
