// The call whose handler is running, which calls made inside it inherit from.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from './context'

/** Undefined until a server starts: without one there is nothing to inherit. */
let storage: AsyncLocalStorage<Context> | undefined

/** From now on handlers run within their contexts. */
export function useContexts(): AsyncLocalStorage<Context> {
  return (storage ??= new AsyncLocalStorage<Context>())
}

/**
 * The context of the handler that the running code belongs to, if it belongs to one: across `await`s, timers and callbacks.
 */
export function currentContext(): Context | undefined {
  return storage?.getStore()
}
