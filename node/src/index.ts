// The public names of the package.

export { Client, type BatchCall, type ClientStats } from './client'
export { Response, type CallOptions, type InformReply } from './call'
export { Service, type AnyMethods, type ArgsOf, type ReplyOf, type ServiceOptions } from './service'
export { Push, type Pushes } from './push'
export {
  Server,
  type AuthRequest,
  type Authenticator,
  type Handler,
  type ListenOptions,
  type RawHandler,
  type RawReply,
  type ServeOptions,
  type ShutdownOptions,
} from './server'
export { Context } from './context'
export { currentContext } from './context-storage'
export { Connection } from './connection'
export type { ClientCall, ClientInterceptor, Outcome, ServerInterceptor } from './interceptor'
export { RpcError, ERROR_KINDS, type Delivery, type ErrorCode, type ErrorKind, type RpcErrorOptions } from './errors'
export type { Metadata } from './metadata'
export type { CallSettings, ClientOptions, Duration, ServerOptions, Size } from './options'
export { type SerializeType } from './codec'
export * as msgpack from './codec/msgpack'
export * as json from './codec/json'
export { Extension, Float32 } from './codec/msgpack'
export { Timestamp } from './codec/timestamp'
export type { MessageType, MethodTypes } from './codec/types'
export { publishLogs, type LogEvent, type LogLevel } from './logs'

import { addon } from './native'

/** The package's version. */
export const version: string = addon.version()
