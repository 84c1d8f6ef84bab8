// Serves the service `Arith` of Go's own examples: `node server.ts [ADDRESS]`.

import { Server } from 'librpcx'

class Arith {
  Mul({ A, B }: { A: number; B: number }) {
    return { C: A * B }
  }

  async Div({ A, B }: { A: number; B: number }) {
    if (B === 0) throw new Error('divide by zero')
    return { C: Math.trunc(A / B) }
  }
}

async function main(): Promise<void> {
  const server = new Server().service('Arith', new Arith())
  await server.listen(process.argv[2] ?? 'tcp@127.0.0.1:8972')
  console.log(`listening on ${server.addresses[0]}`)
  process.once('SIGTERM', () => void server.shutdown())
}

void main()
