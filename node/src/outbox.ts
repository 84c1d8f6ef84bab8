// What one turn of the loop starts, calls and answers, gathered and handed to the native part in one crossing.

/** The numbers that bindings/node/src/submit.rs has too. */
export const enum Operation {
  Call = 0,
  Broadcast = 1,
  Fork = 2,
  Inform = 3,
  Oneway = 4,
  Oneshot = 5,
  Answer = 16,
  Fail = 17,
}

/** Bits of a call. */
export const enum CallFlag {
  Cancellable = 1,
  WithoutParent = 2,
  WithParent = 4,
}

/** A call as it crosses. */
export interface Outgoing {
  readonly operation: Operation
  readonly serialize: number
  readonly flags: number
  readonly ticket: number
  /** The number of the method. */
  readonly method: number
  /** Milliseconds, or NaN: the client's value. */
  readonly timeout: number
  readonly metadata: Buffer
  /** What is left of the parent's deadline, or NaN. */
  readonly remaining: number
  readonly inherited: Buffer
  readonly settings: Buffer
}

const HEAD = 56
const USUAL = 64 << 10
/** So full it is handed over at once: the native part works on it meanwhile. */
const FULL = 32 << 10
const ROUND = 0x100000000

/** Gathers records until the end of the turn. */
export class Outbox {
  private bytes = Buffer.alloc(0)
  private words = new Uint32Array(0)
  private doubles = new Float64Array(0)
  private at = 0
  private scheduled = false

  constructor(private readonly submit: (records: Buffer, length: number) => void) {
    this.allocate(USUAL)
  }

  private allocate(size: number): void {
    const memory = new ArrayBuffer(size)
    const bytes = Buffer.from(memory)
    this.bytes.copy(bytes, 0, 0, this.at)
    this.bytes = bytes
    this.words = new Uint32Array(memory)
    this.doubles = new Float64Array(memory)
  }

  /** Begins a record of at most so many bytes; the index of its first word. */
  private begin(size: number): number {
    if (this.at + size + 8 > this.bytes.length) {
      if (this.at > 0) this.flush()
      if (size + 8 > this.bytes.length) this.allocate((size + USUAL) & ~7)
    }
    return this.at >>> 2
  }

  /** Ends the record that began where the last one ended; `end` is where its bytes do. */
  private end(end: number): void {
    const next = (end + 7) & ~7
    this.words[this.at >>> 2] = next - this.at
    this.at = next
    if (next >= FULL) {
      this.flush()
    } else if (!this.scheduled) {
      this.scheduled = true
      // After the microtasks: all callers that a batch of answers woke have then made their next calls.
      process.nextTick(this.flush)
    }
  }

  /** Adds a call. */
  call(call: Outgoing, payload: Uint8Array): void {
    const { metadata, inherited, settings } = call
    const extra = metadata.length + inherited.length + settings.length
    let word = this.begin(HEAD + extra + payload.length)
    const { words, bytes } = this
    const at = this.at
    words[word + 1] = call.operation | (call.serialize << 8) | (call.flags << 16)
    words[word + 2] = call.ticket
    words[word + 3] = call.method
    words[word + 4] = call.method / ROUND
    words[word + 5] = metadata.length
    words[word + 6] = inherited.length
    words[word + 7] = settings.length
    words[word + 8] = payload.length
    word >>>= 1
    this.doubles[word + 5] = call.timeout
    this.doubles[word + 6] = call.remaining
    let end = at + HEAD
    if (extra > 0) {
      for (const part of [metadata, inherited, settings]) {
        bytes.set(part, end)
        end += part.length
      }
    }
    bytes.set(payload, end)
    this.end(end + payload.length)
  }

  /** Adds a call that has neither options nor a parent. */
  plain(operation: Operation, serialize: number, ticket: number, method: number, payload: Uint8Array): void {
    const word = this.begin(HEAD + payload.length)
    const { words, doubles, at } = this
    words[word + 1] = operation | (serialize << 8)
    words[word + 2] = ticket
    words[word + 3] = method
    words[word + 4] = method / ROUND
    words[word + 5] = 0
    words[word + 6] = 0
    words[word + 7] = 0
    words[word + 8] = payload.length
    doubles[(word >>> 1) + 5] = NaN
    doubles[(word >>> 1) + 6] = NaN
    this.bytes.set(payload, at + HEAD)
    this.end(at + HEAD + payload.length)
  }

  /** Adds the answer to a request. */
  answer(index: number, round: number, metadata: Buffer, payload: Uint8Array): void {
    const word = this.begin(24 + metadata.length + payload.length)
    const { words, bytes } = this
    words[word + 1] = Operation.Answer
    words[word + 2] = index
    words[word + 3] = round
    words[word + 4] = metadata.length
    words[word + 5] = payload.length
    let end = this.at + 24
    if (metadata.length > 0) bytes.set(metadata, end)
    end += metadata.length
    bytes.set(payload, end)
    this.end(end + payload.length)
  }

  /** Adds the failure of a request. */
  fail(index: number, round: number, metadata: Buffer, reason: string, message: string): void {
    const text = Buffer.from(message)
    const word = this.begin(28 + metadata.length + reason.length + text.length)
    const { words, bytes } = this
    words[word + 1] = Operation.Fail
    words[word + 2] = index
    words[word + 3] = round
    words[word + 4] = metadata.length
    words[word + 5] = reason.length
    words[word + 6] = text.length
    let end = this.at + 28
    bytes.set(metadata, end)
    end += metadata.length
    end += bytes.write(reason, end, 'latin1')
    bytes.set(text, end)
    this.end(end + text.length)
  }

  /** Hands over what has gathered. */
  readonly flush = (): void => {
    this.scheduled = false
    const length = this.at
    if (length === 0) return
    this.at = 0
    this.submit(this.bytes, length)
    if (this.bytes.length > 1 << 20) this.allocate(USUAL)
  }
}
