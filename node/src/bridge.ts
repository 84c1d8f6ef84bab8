// The crossing to the native part: one bridge, one outbox and one inbox for each environment.

import { RpcError, DELIVERIES } from './errors'
import { addon } from './native'
import { Outbox } from './outbox'

/** The numbers that bindings/node/src/event.rs has too. */
const enum Kind {
  Reply = 1,
  Error = 2,
  Done = 3,
  Inform = 4,
  Push = 5,
  PushEnd = 6,
  Request = 7,
  Cancelled = 8,
  Auth = 9,
  Started = 10,
  Log = 11,
}

/** A good answer, in the memory of the batch it came with; its parts are made when they are asked for. */
export class Answer {
  constructor(
    private readonly memory: Buffer,
    private readonly words: Uint32Array,
    private readonly word: number,
  ) {}

  /** Attempts that were made. */
  get attempts(): number {
    return this.words[this.word + 3]!
  }

  get payload(): Buffer {
    return part(this.memory, this.words, this.word + 4, 3, 0)
  }

  get metadata(): Buffer {
    return part(this.memory, this.words, this.word + 4, 3, 1)
  }

  get server(): string {
    return part(this.memory, this.words, this.word + 4, 3, 2).toString()
  }
}

/** What waits for the end of something that was started. */
export interface Waiter {
  /** A reply came. */
  reply?(answer: Answer): void
  /** It is done, without a value; a server: its number. */
  done?(server: number): void
  /** Each server answered. */
  inform?(answers: (Answer | RpcError)[]): void
  /** It failed. */
  fail(error: RpcError): void
  /** The client that it is a call of. */
  readonly owner?: object | undefined
}

/** A request, in the memory of the batch it came with; its parts are made when they are asked for. */
export class Incoming {
  readonly index: number
  readonly round: number
  readonly serialize: number
  /** Milliseconds until the caller's deadline, or NaN. */
  readonly remaining: number

  constructor(
    private readonly memory: Buffer,
    private readonly words: Uint32Array,
    doubles: Float64Array,
    private readonly word: number,
  ) {
    this.index = words[word + 2]!
    this.round = words[word + 3]!
    this.serialize = (words[word + 1]! >>> 8) & 0xff
    this.remaining = doubles[(word + 4) >>> 1]!
  }

  /** The caller waits for no answer. */
  get oneway(): boolean {
    return this.words[this.word + 1]! >>> 16 !== 0
  }

  get payload(): Buffer {
    return part(this.memory, this.words, this.word + 7, 4, 0)
  }

  get metadata(): Buffer {
    return part(this.memory, this.words, this.word + 7, 4, 1)
  }

  get service(): string {
    return part(this.memory, this.words, this.word + 7, 4, 2).toString()
  }

  get method(): string {
    return part(this.memory, this.words, this.word + 7, 4, 3).toString()
  }
}

/** One of `count` parts of a record, whose lengths begin at a word, before the parts themselves. */
function part(memory: Buffer, words: Uint32Array, lengths: number, count: number, which: number): Buffer {
  let at = (lengths + count) * 4
  for (let i = 0; i < which; i++) at += words[lengths + i]!
  return memory.subarray(at, at + words[lengths + which]!)
}

/** A token to be judged. */
export interface Asked {
  readonly token: string
  readonly metadata: Buffer
  readonly service: string
  readonly method: string
  readonly peer: string
  readonly tls: string
}

/** A message that a server sent on its own. */
export interface Pushed {
  readonly serialize: number
  readonly payload: Buffer
  readonly metadata: Buffer
  readonly service: string
  readonly method: string
  readonly server: string
}

/** Who gets requests, tokens, pushes and log events, by number. */
export const requestHandlers = new Map<number, (request: Incoming) => void>()
export const judges = new Map<number, (asked: Asked, answer: (refused?: string) => void) => void>()
export const pushSinks = new Map<number, (push: Pushed | undefined) => void>()
export const cancellations = new Map<number, () => void>()
export const logSink: { tell?: (level: number, target: string, message: string) => void } = {}

const waiters: (Waiter | undefined)[] = []
const free: number[] = []
let open = 0

/** Waits; the ticket says for what. */
export function await_(waiter: Waiter): number {
  open++
  const ticket = free.pop() ?? waiters.length
  waiters[ticket] = waiter
  return ticket
}

function take(ticket: number): Waiter | undefined {
  const waiter = waiters[ticket]
  if (waiter !== undefined) {
    waiters[ticket] = undefined
    free.push(ticket)
    open--
  }
  return waiter
}

/** Resolves once nothing of this client waits any more. */
export function settled(owner: object): Promise<void> {
  return new Promise((resolve) => {
    let left = 1
    const end = (): void => {
      if (--left === 0) resolve()
    }
    waiters.forEach((waiter, ticket) => {
      if (waiter?.owner !== owner) return
      left++
      waiters[ticket] = new Counted(waiter, end)
    })
    end()
  })
}

/** A waiter of whose end somebody is told. */
class Counted implements Waiter {
  readonly owner: object | undefined

  constructor(
    private readonly waiter: Waiter,
    private readonly end: () => void,
  ) {
    this.owner = waiter.owner
  }

  reply(answer: Answer): void {
    this.waiter.reply?.(answer)
    this.end()
  }

  done(value: number): void {
    this.waiter.done?.(value)
    this.end()
  }

  inform(answers: (Answer | RpcError)[]): void {
    this.waiter.inform?.(answers)
    this.end()
  }

  fail(error: RpcError): void {
    this.waiter.fail(error)
    this.end()
  }
}

/** How many tickets wait. */
export function waiting(): number {
  return open
}

const SLAB = 64 << 10
const FULL = 48 << 10
const ROUND = 0x100000000

/** Where batches are written, one after the other; never again where one was, since what came shares its memory. */
let slab = Buffer.alloc(0)
let words = new Uint32Array(0)
let doubles = new Float64Array(0)
let used = 0

function renew(needed: number): void {
  const memory = new ArrayBuffer(Math.max(SLAB, (needed + 7) & ~7))
  slab = Buffer.from(memory)
  words = new Uint32Array(memory)
  doubles = new Float64Array(memory)
  used = 0
}

function wake(): void {
  for (;;) {
    const written = bridge.drain(slab, used)
    if (written < 0) {
      renew(-written)
      continue
    }
    const from = used
    used += written
    read(from, used)
    // A batch that is not full was all.
    if (written < FULL) return
  }
}

/** Reads the records of a batch. What a record causes must not throw, or the others would be lost. */
function read(from: number, to: number): void {
  let at = from
  while (at < to) {
    const word = at >>> 2
    const next = at + words[word]!
    const kind = words[word + 1]! & 0xff
    const id = words[word + 2]!
    switch (kind) {
      case Kind.Reply: {
        const waiter = take(id)
        waiter?.reply?.(answer(word))
        break
      }
      case Kind.Error:
        take(id)?.fail(failure(word))
        break
      case Kind.Done:
        take(id)?.done?.(0)
        break
      case Kind.Started:
        take(id)?.done?.(words[word + 3]! + words[word + 4]! * ROUND)
        break
      case Kind.Request:
        request(word)
        break
      case Kind.Inform:
        take(id)?.inform?.(nested(at + 16, next))
        break
      case Kind.Cancelled: {
        const key = id + words[word + 3]! * ROUND
        const tell = cancellations.get(key)
        cancellations.delete(key)
        tell?.()
        break
      }
      case Kind.Auth:
        auth(word)
        break
      case Kind.Push:
      case Kind.PushEnd:
        push(word, kind === Kind.PushEnd)
        break
      case Kind.Log: {
        const [target, message] = parts(word + 3, 2)
        logSink.tell?.(id, target!.toString(), message!.toString())
      }
    }
    at = next
  }
}

/** The parts of a record whose lengths begin at a word. */
function parts(word: number, count: number): Buffer[] {
  const found: Buffer[] = []
  let at = (word + count) * 4
  for (let i = 0; i < count; i++) {
    const end = at + words[word + i]!
    found.push(slab.subarray(at, end))
    at = end
  }
  return found
}

function answer(word: number): Answer {
  return new Answer(slab, words, word)
}

function failure(word: number): RpcError {
  const [reason, message, server] = parts(word + 5, 3)
  return new RpcError(message!.toString(), {
    reason: reason!.toString(),
    delivery: DELIVERIES[words[word + 4]!]!,
    attempts: words[word + 3]!,
    server: server!.length === 0 ? undefined : server!.toString(),
  })
}

function nested(from: number, to: number): (Answer | RpcError)[] {
  const answers: (Answer | RpcError)[] = []
  for (let at = from; at < to; at += words[at >>> 2]!) {
    const word = at >>> 2
    answers.push(words[word + 1] === Kind.Error ? failure(word) : answer(word))
  }
  return answers
}

function request(word: number): void {
  requestHandlers.get(words[word + 6]!)?.(new Incoming(slab, words, doubles, word))
}

function auth(word: number): void {
  const [token, metadata, service, method, peer, tls] = parts(word + 5, 6)
  const index = words[word + 2]!
  const round = words[word + 3]!
  const asked = {
    token: token!.toString(),
    metadata: metadata!,
    service: service!.toString(),
    method: method!.toString(),
    peer: peer!.toString(),
    tls: tls!.toString(),
  }
  judges.get(words[word + 4]!)?.(asked, (refused) => bridge.judge(index, round, refused))
}

function push(word: number, end: boolean): void {
  const sink = pushSinks.get(words[word + 2]! + words[word + 3]! * ROUND)
  if (sink === undefined) return
  if (end) return sink(undefined)
  const [payload, metadata, service, method, server] = parts(word + 4, 5)
  sink({
    serialize: (words[word + 1]! >>> 8) & 0xff,
    payload: payload!,
    metadata: metadata!,
    service: service!.toString(),
    method: method!.toString(),
    server: server!.toString(),
  })
}

/** The native bridge of this environment. */
export const bridge = new addon.Bridge(wake)

/** What this turn of the loop starts. */
export const outbox = new Outbox((records, length) => bridge.submit(records, length))
