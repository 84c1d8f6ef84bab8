// Metadata: pairs of texts, as an object in JavaScript, as a block of lengths and bytes on their way.

import { set } from './codec/property'
import { RpcError } from './errors'

/** Metadata of a request, a response or a push. Keys that begin with `__` are the protocol's own. */
export type Metadata = Record<string, string>

/** What a block holds; in it lengths are big endian, as on the wire. */
export function readMetadata(block: Buffer): Metadata {
  const metadata: Metadata = {}
  let at = 0
  const text = (): string => {
    const from = at + 4
    at = from + block.readUInt32BE(at)
    return block.toString('utf8', from, at)
  }
  while (at < block.length) set(metadata, text(), text())
  return metadata
}

/**
 * Pairs as the native part reads them.
 *
 * @throws RpcError `config.bad_argument` for a value that is no text.
 */
export function writePairs(pairs: Iterable<readonly [string, unknown]>): Buffer {
  const parts: Buffer[] = []
  for (const [key, value] of pairs) {
    if (typeof value !== 'string') {
      throw new RpcError(`metadata: ${key}: ${String(value)} is no text`, { reason: 'config.bad_argument' })
    }
    for (const text of [key, value]) {
      const length = Buffer.byteLength(text)
      const part = Buffer.allocUnsafe(4 + length)
      part.writeUInt32LE(length)
      part.write(text, 4)
      parts.push(part)
    }
  }
  return Buffer.concat(parts)
}

/** No pairs. */
export const NO_PAIRS: Buffer = Buffer.alloc(0)
