// Serves `Hello.Say` for benchmarks, with every default on.

import { Server } from 'librpcx'
import { parse, refuse } from './args.js'
import { answer, helloTypes } from './hello.js'

const USAGE = `\
usage: bench-server --addr HOST:PORT [--flavor async|plain]

Serves Hello.Say until SIGTERM.

  --flavor async    an async handler, the default; plain: one that answers at once
`

const args = parse(USAGE, ['addr', 'flavor', 'conns', 'concurrency', 'seconds', 'warmup', 'peer'])
const addr = args.one('addr') ?? refuse('--addr HOST:PORT is missing', USAGE)
const flavor = args.one('flavor') ?? 'async'
if (flavor !== 'async' && flavor !== 'plain') refuse(`--flavor ${flavor}: expected async or plain`, USAGE)

const say = flavor === 'plain' ? answer : async (message) => answer(message)
const server = new Server().function('Hello', 'Say', say, { types: helloTypes })
await server.listen(`tcp@${addr}`).catch((error) => refuse(error.message, USAGE))
process.once('SIGTERM', () => server.shutdown())
