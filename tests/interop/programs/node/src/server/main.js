// The interop server: every test service, on the addresses that the command line names.

import { RpcError, Server, version } from 'librpcx'
import { parse, refuse } from '../args.js'
import { arithTypes, calculate } from '../arith.js'
import { answer, helloTypes } from '../hello.js'
import { echoService } from './echo.js'
import { Tally } from './tally.js'
import { testService } from './test.js'
import { typed } from './typed.js'

const USAGE = `\
usage: server --listen ADDRESS… [--registry URL…] [--meta QUERY] [--auth TOKEN] [--option NAME=VALUE…]
              [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]

Serves the interop test services until SIGTERM. What ends in … takes several values or is repeated.

  --listen ADDRESS         tcp@127.0.0.1:0, unix@/run/x.sock, …; port 0 is chosen by the system
  --registry URL           where the services are announced
  --meta QUERY             metadata for the registry
  --auth TOKEN             every other token is refused
  --option NAME=VALUE      a server option by its name
  --tls-cert, --tls-key    PEM files; --tls-client-ca asks clients for a certificate
`

const args = parse(USAGE, ['listen', 'registry', 'meta', 'auth', 'option', 'tls-cert', 'tls-key', 'tls-client-ca'])
const tally = new Tally()

function options() {
  const all = {}
  for (const option of args.all('option')) {
    const equals = option.indexOf('=')
    if (equals < 0) refuse(`--option ${option}: write it as NAME=VALUE`, USAGE)
    all[option.slice(0, equals)] = option.slice(equals + 1)
  }
  for (const [argument, option] of [['tls-cert', 'cert'], ['tls-key', 'key'], ['tls-client-ca', 'client_ca']]) {
    const file = args.one(argument)
    if (file !== undefined) all[`tls.${option}`] = file
  }
  return all
}

/** Methods with types, counted. */
const counted = (service, methods) =>
  Object.fromEntries(
    Object.entries(methods).map(([method, run]) => [
      method,
      typed(`${service}.${method}`, (value, ctx) => tally.run(ctx, (counts) => run(value, ctx, counts))),
    ]),
  )

/** A service of text. */
const text = (say) => (name, ctx) =>
  tally.run(ctx, () => {
    if (typeof name !== 'string' && name !== null) throw new RpcError('text is expected', { reason: 'codec.server' })
    return say(name ?? '')
  })

function services(server) {
  const arith = Object.entries(calculate).map(([method, run]) => [method, ({ A, B }) => ({ C: run(A, B) })])
  const test = counted('Test', testService(tally))
  const { Size, ...others } = test
  return server
    .service('Arith', counted('Arith', Object.fromEntries(arith)), { types: arithTypes })
    .function('Arith', 'Say', text((name) => `hello ${name}`))
    .alias('Alias', 'Times', 'Arith', 'Mul')
    .service('Echo', counted('Echo', echoService))
    .function('Echo', 'Value', (value, ctx) => tally.run(ctx, () => value))
    .raw('Echo', 'Raw', (payload, ctx) => tally.run(ctx, () => payload))
    .service('Test', others, { blocking: ['Block'] })
    .function('Test', 'Size', size(Size))
    .function('Fn', 'Greet', text((name) => `hi ${name}`))
    .function('Hello', 'Say', (message, ctx) => tally.run(ctx, () => answer(message)), { types: helloTypes })
}

/** `Test.Size` speaks raw too: the arguments as a decimal number, the reply as nothing but its bytes. */
const size = (run) => async (value, ctx) => {
  if (ctx.serializeType !== 'raw') return run(value, ctx)
  const digits = value.toString().trim()
  if (!/^\d+$/.test(digits)) throw new RpcError(`\`${digits}\`: expected a decimal number`, { reason: 'codec.server' })
  return (await run({ Bytes: Number(digits) }, ctx)).Data
}

async function main() {
  if (args.all('listen').length === 0) refuse('--listen ADDRESS is missing', USAGE)
  const server = services(new Server(options()))
  const token = args.one('auth')
  if (token !== undefined) {
    server.authenticator((given) => {
      if (given !== token) throw new Error('invalid token')
    })
  }
  const ended = new Promise((resolve) => process.once('SIGTERM', resolve))
  try {
    await server.listen(args.all('listen'), { registries: args.all('registry'), metadata: args.one('meta') ?? '' })
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    refuse(error.message, USAGE)
  }
  const { addresses } = server
  console.log(JSON.stringify({ ready: true, language: 'node', version, addresses }))
  await ended
  await server.shutdown().catch((error) => console.error(error.message))
  console.log(JSON.stringify(tally.stopped()))
  process.exit(0)
}

await main()
