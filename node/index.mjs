// The package as an ES module: the same objects as from CommonJS, so that a program that uses both has one of each.

import rpcx from './dist/index.js'

export const {
  Client,
  Connection,
  Context,
  ERROR_KINDS,
  Extension,
  Float32,
  Push,
  Response,
  RpcError,
  Server,
  Service,
  Timestamp,
  currentContext,
  json,
  msgpack,
  publishLogs,
  version,
} = rpcx
