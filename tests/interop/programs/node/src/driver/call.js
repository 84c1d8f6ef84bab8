// What a command says of one call: read and checked, then made in any of the ways that there are.

import { createHash } from 'node:crypto'
import { RpcError, json, msgpack } from 'librpcx'
import { arithTypes } from '../arith.js'
import { helloTypes } from '../hello.js'
import { METHODS, pattern } from '../messages.js'
import { Mismatch, unhex } from '../schema.js'
import { misuse } from './fields.js'
import { dynamic } from './show.js'

const CODECS = ['raw', 'json', 'protobuf', 'msgpack', 'thrift']
const COMPRESSORS = ['none', 'gzip', 'snappy', 'zstd', 'lz4']
const REPLIES = ['value', 'hex', 'digest']
/** Message types of the methods that have any. */
const PROTOBUF = { Arith: arithTypes, Alias: arithTypes, Hello: helloTypes }
/** What would be thrift's, for which Node has no library here. */
const THRIFT = new Set(['Arith.Mul', 'Arith.Add', 'Arith.Div', 'Alias.Times'])

function oneOf(fields, name, known) {
  const value = fields.optionalText(name)
  if (value !== undefined && !known.includes(value)) throw misuse(`${name}: ${JSON.stringify(value)} is none of ${known.join(', ')}`)
  return value
}

/** `args`, `hex` or `size`, or none of them. */
function payload(fields) {
  const args = fields.take('args')
  const hex = fields.optionalText('hex')
  const size = fields.count('size')
  if ([args, hex, size].filter((given) => given !== undefined).length > 1) throw misuse('args, hex and size exclude each other')
  if (size !== undefined) return { bytes: pattern(size) }
  if (hex === undefined) return { args }
  const bytes = unhex(hex)
  if (bytes === undefined) throw misuse(`hex: ${JSON.stringify(hex)} is no hexadecimal text`)
  return { bytes }
}

/** Options of a call in the form that the library takes: a list as text is one too. */
function callOptions(given, compress) {
  const options = { ...given, ...(compress && { compress_type: compress }) }
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      throw misuse(`option ${name}: ${JSON.stringify(value)} is an object`)
    }
    if (name === 'metadata' || name === 'signal' || name === 'parent') throw misuse(`unknown option \`${name}\``)
  }
  return options
}

/** A call as a command describes it. */
export class CallCommand {
  constructor(fields) {
    this.service = fields.text('service')
    this.method = fields.text('method')
    this.payload = payload(fields)
    const codec = oneOf(fields, 'codec', CODECS)
    const compress = oneOf(fields, 'compress', COMPRESSORS)
    const { serialize_type, ...options } = fields.object('options')
    this.options = callOptions(options, compress)
    this.codec = codec ?? serialize_type
    this.metadata = fields.object('metadata')
    this.reply = oneOf(fields, 'reply', REPLIES) ?? 'value'
    this.typed = fields.flag('typed', true)
    for (const [key, value] of Object.entries(this.metadata)) {
      if (typeof value !== 'string') throw misuse(`metadata: ${key}: ${JSON.stringify(value)} is no text`)
    }
  }

  /** Gives the call its types and encodes nothing yet; arguments that do not fit are refused. */
  prepare(named, args = this.payload.args) {
    const codec = this.codec ?? named.serializeType
    const { bytes } = this.payload
    if (codec === 'raw' && args !== undefined) throw misuse('args: the codec raw takes hex or size')
    const name = `${this.service}.${this.method}`
    const isValue = codec === 'msgpack' || codec === 'json'
    if (codec === 'thrift' && bytes === undefined && THRIFT.has(name)) {
      throw new RpcError('thrift: Node has no library for it', { reason: 'unsupported.codec' })
    }
    // Formats that need a type have it in any case.
    const types = this.typed || !isValue ? METHODS[name] : undefined
    const value = bytes ?? (codec === 'raw' ? Buffer.alloc(0) : typedArgs(types?.[0], args, isValue))
    const whole = { codec, bytes, types, value }
    return new Prepared(this, named, whole)
  }
}

/** Arguments that fit the method's type, if it has one. */
function typedArgs(type, args, isValue) {
  if (type === undefined) return args
  try {
    const typed = args === undefined || args === null ? type.zero() : type.line(args)
    return isValue ? type.write(typed) : typed
  } catch (error) {
    if (error instanceof Mismatch) throw misuse(`args: ${error.message}`)
    throw error
  }
}

/** A call whose types are settled. */
class Prepared {
  constructor({ service, method, reply, options, metadata }, named, { codec, bytes, types, value }) {
    const protobuf = PROTOBUF[service]
    // Payloads that are given as they are, and those wanted as they come, pass by the codecs.
    this.raw = bytes !== undefined || reply !== 'value'
    this.service = named.service(service, { raw: this.raw, ...(protobuf && { types: protobuf }) })
    this.method = method
    this.args = this.raw && bytes === undefined ? () => encoded(codec, value, protobuf?.[method]) : () => value
    this.options = { ...options, metadata, serialize_type: codec }
    this.show = (response) => {
      const { metadata, server, attempts } = response
      try {
        const value = shown(reply, codec, response.value, this.raw, types, protobuf?.[method])
        return { reply: value, metadata, server, attempts }
      } catch (error) {
        if (!(error instanceof RpcError)) throw error
        throw new RpcError(error.message, { reason: error.reason, delivery: 'answered', server, attempts })
      }
    }
  }

  /** Makes it in one of the ways that a service has; `signal` cancels it. */
  make(form, signal) {
    return this.service[form](this.method, this.args(), signal ? { ...this.options, signal } : this.options)
  }

  /** As one of a batch. */
  inBatch(signal) {
    return { service: this.service, method: this.method, args: this.args(), options: { ...this.options, signal } }
  }
}

function noCodec(codec, delivery) {
  return new RpcError(`the method has no message types for ${codec}`, { reason: 'codec.unsupported', delivery })
}

function encoded(codec, value, types) {
  if (codec === 'msgpack') return msgpack.encode(value)
  if (codec === 'json') return json.encode(value)
  if (codec === 'raw') return value
  if (codec === 'protobuf' && types) return types.request.encode(value).finish()
  throw noCodec(codec, 'not_sent')
}

/** The reply as the command wants to see it. */
function shown(as, codec, value, raw, types, protobuf) {
  if (as === 'hex') return value.toString('hex')
  if (as === 'digest') return { bytes: value.length, sha256: createHash('sha256').update(value).digest('hex') }
  let decoded = value
  if (raw) {
    if (codec === 'msgpack') decoded = msgpack.decode(value)
    else if (codec === 'json') decoded = json.decode(value)
    else if (codec === 'protobuf' && protobuf) decoded = protobuf.reply.decode(value)
    else return value.toString('hex')
  }
  if (codec === 'raw') return decoded.toString('hex')
  const type = types?.[1]
  if (type === undefined) return dynamic(decoded?.toJSON ? decoded.toJSON() : decoded)
  try {
    return type.show(decoded === null ? type.zero() : type.read(decoded))
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error
    throw new RpcError(error.message, { reason: 'codec.decode', delivery: 'answered' })
  }
}
