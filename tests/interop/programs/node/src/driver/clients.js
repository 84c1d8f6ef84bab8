// The driver's clients by name.

import { Client } from 'librpcx'
import { isObject, misuse } from './fields.js'

/** Where servers are: a URL or address, or a list of addresses. */
function discoveryOf(fields) {
  const discovery = fields.take('discovery')
  const isList = Array.isArray(discovery) && discovery.every((entry) => typeof entry === 'string')
  if (typeof discovery === 'string' || isList) return discovery
  const shown = JSON.stringify(discovery ?? null)
  throw misuse(`discovery: ${shown} is neither an address or URL nor a list of addresses`)
}

/** The nodes of what replaces a list: a list itself, or an address, or a URL of addresses. */
function nodesOf(discovery) {
  if (typeof discovery !== 'string') return discovery
  const [, list] = /^(?:multiple|peer2peer):\/\/(.*)$/.exec(discovery) ?? []
  if (list === undefined) return [discovery]
  return list === '' ? [] : list.split(',')
}

/** A client with what its commands need besides. */
class Named {
  #services = new Map()

  constructor(client, serializeType) {
    this.client = client
    /** How arguments are encoded unless a call says otherwise. */
    this.serializeType = serializeType
  }

  /** A service; made once for each form. */
  service(name, options) {
    const key = `${options.raw} ${name}`
    let service = this.#services.get(key)
    if (service === undefined) this.#services.set(key, (service = this.client.service(name, options)))
    return service
  }
}

/** All of them. */
export class Clients {
  #named = new Map()

  /** The client that a command names. */
  of(fields) {
    const name = fields.text('client')
    const named = this.#named.get(name)
    if (named === undefined) throw misuse(`unknown client ${JSON.stringify(name)}`)
    return named
  }

  /** `client`: makes one; a client of that name is closed. */
  make(fields) {
    const name = fields.text('name')
    const discovery = discoveryOf(fields)
    const options = fields.object('options')
    const tls = fields.take('tls') ?? undefined
    if (tls !== undefined && !isObject(tls)) throw misuse(`tls: ${JSON.stringify(tls)} is no object`)
    fields.done()
    // No deadline unless a case sets one.
    const all = { timeout: 0, ...options, ...(tls && { tls: { ...options.tls, enabled: true, ...tls } }) }
    const client = new Client(discovery, all)
    this.#named.get(name)?.client.close()
    this.#named.set(name, new Named(client, all.serialize_type ?? 'msgpack'))
  }

  /** `update`: replaces the servers of a client that was made from a list. */
  update(fields) {
    const { client } = this.of(fields)
    const discovery = discoveryOf(fields)
    fields.done()
    client.setNodes(nodesOf(discovery))
  }

  closeAll() {
    for (const { client } of this.#named.values()) client.close()
  }
}
