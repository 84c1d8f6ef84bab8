// Answers as JSON: bytes in hex, 64-bit integers beyond 2^53 as text, moments in RFC 3339.

import { RpcError, Timestamp } from 'librpcx'
import { exact } from '../schema.js'

/** A failure as the answers have it. */
export function failure(error) {
  if (!(error instanceof RpcError)) throw error
  const { kind, number, delivery, message, server, attempts } = error
  return { ok: false, error: { kind, code: number, delivery, message, server: server ?? null, attempts } }
}

/** Metadata without the protocol's own keys. */
export const metadata = (pairs) => Object.fromEntries(Object.entries(pairs).filter(([key]) => !key.startsWith('__')))

/** The answer to a call that began then. */
export function response({ reply, metadata: pairs, server, attempts }, began) {
  const ms = Math.round((performance.now() - began) * 1000) / 1000
  return { ok: true, reply, metadata: metadata(pairs), server, attempts, ms }
}

/** A value of any form. */
export function dynamic(value) {
  if (typeof value === 'bigint') return exact(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof Timestamp) return value.toJSON()
  if (Array.isArray(value)) return value.map(dynamic)
  // Keys that are no text are shown as their JSON.
  const key = (name) => (typeof name === 'string' ? name : JSON.stringify(dynamic(name)))
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(entries.map(([name, inner]) => [key(name), dynamic(inner)]))
}
