// The library's log events, for the program's own logging.

import { channel } from 'node:diagnostics_channel'
import { bridge, logSink } from './bridge'

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const

/** How much a log event matters. */
export type LogLevel = (typeof LEVELS)[number]

/** What subscribers of the channel `rpcx:log` get. */
export interface LogEvent {
  /** How much it matters. */
  readonly level: LogLevel
  /** The part of the library: `rpcx::client`. */
  readonly target: string
  /** Text and fields. */
  readonly message: string
}

const events = channel('rpcx:log')

/**
 * Publishes the library's log events of this level and above on the diagnostics channel `rpcx:log`; at most a hundred a
 * second. Until it is called nothing is published.
 *
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel'
 *
 * publishLogs('warn')
 * subscribe('rpcx:log', (event) => console.error(event))
 * ```
 */
export function publishLogs(level: LogLevel = 'warn'): void {
  logSink.tell = (number, target, message) => {
    const event: LogEvent = { level: LEVELS[number - 1] ?? 'trace', target, message }
    try {
      events.publish(event)
    } catch {
      // What a subscriber throws, Node reports by itself.
    }
  }
  bridge.watchLogs(LEVELS.indexOf(level) + 1)
}
