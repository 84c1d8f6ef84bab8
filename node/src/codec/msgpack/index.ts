// MessagePack as Go's rpcx reads and writes it. 64-bit integers are exact: BigInt beyond 2^53, numbers below.

export { decode } from './decode'
export { encode } from './encode'
export { Extension, Float32 } from './types'
