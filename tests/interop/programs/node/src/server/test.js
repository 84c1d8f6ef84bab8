// `Test`: time, failures, metadata, pushes, and what the server knows of its callers.

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, RpcError } from 'librpcx'
import { pattern } from '../messages.js'
import { echoMetadata } from './echo.js'
import { Cancelled, Panic } from './tally.js'

/** How long a cancelled handler holds its error back, so that the caller's own clock speaks first. */
const HOLD = 100
/** The largest reply that is made. */
const LARGEST = 2 ** 30

const left = (ctx) => ({ Ms: ctx.remaining === undefined ? -1 : Math.floor(ctx.remaining) })

/** Sleeps, unless the call is cancelled meanwhile: then it counts as such, and the error comes later. */
async function nap(ctx, counts, ms) {
  try {
    await sleep(Math.max(0, ms), undefined, { signal: ctx.signal })
  } catch {
    counts.Cancelled++
    await sleep(HOLD)
    throw new Cancelled('the call was cancelled while its handler slept')
  }
}

/** The methods, by name. */
export function testService(tally) {
  /** For nested calls, by address. */
  const clients = new Map()
  const clientOf = (address) => {
    let client = clients.get(address)
    // No deadline but the one that a call inherits.
    if (client === undefined) clients.set(address, (client = new Client(address, { timeout: 0 }).unref()))
    return client
  }
  const slept = async ({ Ms }, ctx, counts) => {
    await nap(ctx, counts, Number(Ms))
    return { Slept: Ms }
  }
  return {
    Sleep: slept,
    // Node has one thread for handlers: what would block it is given to a timer.
    Block: slept,
    Fail({ Text }) {
      throw new Error(Text)
    },
    Panic({ Text }) {
      throw new Panic(Text)
    },
    Size({ Bytes }) {
      if (!(Bytes >= 0 && Bytes <= LARGEST)) throw new Error(`${Bytes} bytes are not from 0 to ${LARGEST}`)
      return { Data: pattern(Number(Bytes)) }
    },
    Count: ({ Method }) => tally.of(Method),
    Deadline: (_, ctx) => left(ctx),
    Peer: (_, ctx) => ({ Address: ctx.peer, Tls: ctx.tlsSubject ?? '' }),
    async Nested({ Address, Depth, Ms }, ctx, counts) {
      if (Depth <= 0) {
        await nap(ctx, counts, Number(Ms))
        echoMetadata(ctx)
        return left(ctx)
      }
      const test = clientOf(Address).service('Test')
      const response = await test.callWith('Nested', { Address, Depth: Number(Depth) - 1, Ms })
      for (const [key, value] of Object.entries(response.metadata)) {
        if (!key.startsWith('__')) ctx.setMetadata(key, value)
      }
      return response.value
    },
    async Push({ Count, Text }, ctx) {
      for (let n = 0; n < Count; ) {
        try {
          ctx.push('Test', 'Pushed', `${Text}-${n}`, { n: String(n) })
          n++
        } catch (error) {
          if (!(error instanceof RpcError && error.kind === 'limit')) throw error
          // So many wait that the connection takes no more for now.
          await sleep(1)
        }
      }
      return {}
    },
    Close(_, ctx) {
      ctx.connection.close()
      return {}
    },
  }
}
