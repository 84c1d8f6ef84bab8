// The error of every call, with its kind, its reason, and whether a handler may have run.

/** Kinds of errors with their numbers, which never change. */
export const ERROR_KINDS = {
  config: 1,
  connect: 2,
  no_server: 3,
  timeout: 4,
  service: 5,
  cancelled: 6,
  overload: 7,
  protocol: 8,
  codec: 9,
  limit: 10,
  auth: 11,
  closed: 12,
  shutting_down: 13,
  unsupported: 14,
  internal: 99,
} as const

/** What went wrong: see docs/ERRORS.md. */
export type ErrorKind = keyof typeof ERROR_KINDS

/** `code` of an error: its kind in capitals. */
export type ErrorCode = `RPCX_${Uppercase<ErrorKind>}`

/** Delivery states, in the order of their numbers. */
export const DELIVERIES = ['not_sent', 'maybe_run', 'answered'] as const

/**
 * What a retry may assume: `not_sent`, no handler can have run; `maybe_run`, one may have run, or may still run; `answered`,
 * the error is the server's answer, or what was made of it.
 */
export type Delivery = (typeof DELIVERIES)[number]

/** What an {@link RpcError} is made of beside its text. */
export interface RpcErrorOptions {
  /** The stable name, `<kind>.<reason>`. Default `service.error`: the service's own words. */
  reason?: string
  /** Default `not_sent`, of the service's own errors `answered`. */
  delivery?: Delivery
  /** Attempts that were made. */
  attempts?: number
  /** The server of the last attempt. */
  server?: string | undefined
  /** What it comes from. */
  cause?: unknown
}

/**
 * Why a call, a server or an argument failed. Decide by `code`, `reason` and `delivery`; the text is for people.
 *
 * A handler that throws one with a kind that servers may tell (`limit`, `overload`, …) passes the kind on to callers of this
 * library; every other error it throws arrives as `RPCX_SERVICE` with its text.
 *
 * ```ts
 * try {
 *   await arith.call('Mul', { A: 6, B: 7 }, { timeout: 100 })
 * } catch (error) {
 *   if (error instanceof RpcError && error.code === 'RPCX_TIMEOUT' && error.delivery === 'not_sent') retry()
 * }
 * ```
 */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  /** The kind in capitals: `RPCX_TIMEOUT`. */
  readonly code: ErrorCode
  /** What went wrong. */
  readonly kind: ErrorKind
  /** The kind's number. */
  readonly number: number
  /** Exactly what, within the kind: `timeout.call`. */
  readonly reason: string
  /** Whether a handler may have run. */
  readonly delivery: Delivery
  /** Attempts that were made, failed dials included. */
  readonly attempts: number
  /** The server of the last attempt, as in the discovery. */
  readonly server: string | undefined

  constructor(message: string, options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    const reason = options.reason ?? 'service.error'
    const kind = kindOf(reason)
    this.code = `RPCX_${kind.toUpperCase()}` as ErrorCode
    this.kind = kind
    this.number = ERROR_KINDS[kind]
    this.reason = reason
    this.delivery = options.delivery ?? (kind === 'service' ? 'answered' : 'not_sent')
    this.attempts = options.attempts ?? 0
    this.server = options.server
  }
}

/** The kind that a reason belongs to. */
function kindOf(reason: string): ErrorKind {
  const dot = reason.indexOf('.')
  const kind = dot < 0 ? reason : reason.slice(0, dot)
  return kind in ERROR_KINDS ? (kind as ErrorKind) : 'internal'
}

/** Runs a function of the native part; what it throws becomes an {@link RpcError}. */
export function native<T>(body: () => T): T {
  try {
    return body()
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    if (typeof code === 'string' && code.includes('.')) throw new RpcError(message, { reason: code })
    throw error
  }
}

/** A client or server that was closed. */
export function closedError(what: string): RpcError {
  return new RpcError(`the ${what} is closed`, { reason: 'closed.local' })
}
