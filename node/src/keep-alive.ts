// Whether the process has a reason to go on: clients and servers that are open and not unreferenced.

/** The longest time that a timer takes. */
const LONG = 0x7fffffff

let holders = 0
let timer: NodeJS.Timeout | undefined

function hold(): void {
  if (holders++ === 0) {
    timer ??= setInterval(() => {}, LONG)
    timer.ref()
  }
}

function release(): void {
  if (--holders === 0) timer?.unref()
}

/** One client's or server's hold on the process. */
export class Hold {
  private held = false
  private open = true

  constructor() {
    this.ref()
  }

  /** Holds the process while open. */
  ref(): void {
    if (this.held || !this.open) return
    this.held = true
    hold()
  }

  /** Holds it no longer. */
  unref(): void {
    if (!this.held) return
    this.held = false
    release()
  }

  /** Closed: it never holds again. */
  end(): void {
    this.unref()
    this.open = false
  }
}
