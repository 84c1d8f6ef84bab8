// How often each method ran and how it ended, counted inside the handlers: what `Test.Count` tells.

/** What `Test.Panic` throws: not one of the errors that services answer with. */
export class Panic extends TypeError {}

/** A handler gave up because nobody waits for it. It has been counted as such. */
export class Cancelled extends Error {}

/** The counters of a server. */
export class Tally {
  #methods = new Map()
  #errors = 0
  #panics = 0

  #of(method) {
    let counts = this.#methods.get(method)
    if (counts === undefined) this.#methods.set(method, (counts = { Started: 0, Finished: 0, Cancelled: 0 }))
    return counts
  }

  /** Runs a handler and notes its end. */
  async run(ctx, handler) {
    const counts = this.#of(`${ctx.service}.${ctx.method}`)
    counts.Started++
    try {
      const reply = await handler(counts)
      counts.Finished++
      return reply
    } catch (error) {
      if (!(error instanceof Cancelled)) {
        counts.Finished++
        this.#errors++
        if (error instanceof Panic) this.#panics++
      }
      throw error
    }
  }

  /** What became of the calls of one `Service.Method`. */
  of(method) {
    return this.#methods.get(method) ?? { Started: 0, Finished: 0, Cancelled: 0 }
  }

  /** The server's last line. */
  stopped() {
    const sum = (name) => [...this.#methods.values()].reduce((all, counts) => all + counts[name], 0)
    return { stopped: true, calls: sum('Started'), errors: this.#errors, cancelled: sum('Cancelled'), panics: this.#panics }
  }
}
