// `Hello.Say`, the service of the rpcx benchmark, and its 581-byte message.

import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const proto = fileURLToPath(new URL('../../../../../bench/proto/benchmark.proto', import.meta.url))
const root = new protobuf.Root().loadSync(proto, { keepCase: true })

/** The message's type: what it encodes to is exactly what Go's code makes. */
export const BenchmarkMessage = root.lookupType('pb.BenchmarkMessage')

/** For the service's one method. */
export const helloTypes = { Say: { request: BenchmarkMessage, reply: BenchmarkMessage } }

/** The answer to a message: the same with field 1 `OK` and field 2 100. */
export function answer(message) {
  message.field1 = 'OK'
  message.field2 = 100
  return message
}

const TEXT = '许多往事在眼前一幕一幕，变的那麼模糊'
const STRINGS = [1, 9, 18, 4, 7, 102, 103, 129]
const BOOLEANS = [80, 81, 59, 12, 17, 13, 14, 30, 24, 78]
const INTEGERS = [
  2, 3, 280, 6, 22, 16, 130, 104, 100, 101, 29, 60, 271, 272, 150, 23, 25, 67, 68, 128, 131,
]

/** What every caller of the benchmark sends. */
export function request() {
  const message = { field5: [] }
  for (const number of STRINGS) message[`field${number}`] = TEXT
  for (const number of BOOLEANS) message[`field${number}`] = true
  for (const number of INTEGERS) message[`field${number}`] = 100000
  const { length } = BenchmarkMessage.encode(message).finish()
  if (length !== 581) throw new Error(`the message has ${length} bytes`)
  return message
}
