// Calls the service `Arith`: `node client.ts [ADDRESS]`.

import { Client, RpcError } from 'librpcx'

interface Arith {
  Mul(args: { A: number; B: number }): { C: number }
  Div(args: { A: number; B: number }): { C: number }
}

async function main(): Promise<void> {
  const client = new Client(process.argv[2] ?? 'tcp@127.0.0.1:8972', { timeout: 5000 })
  const arith = client.service<Arith>('Arith')

  const { C } = await arith.call('Mul', { A: 6, B: 7 })
  console.log(`6 x 7 = ${C}`)

  try {
    await arith.call('Div', { A: 1, B: 0 })
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    console.log(`1 / 0: ${error.message} (${error.code}, ${error.delivery})`)
  }
  client.close()
}

void main()
