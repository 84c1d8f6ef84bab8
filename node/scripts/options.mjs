// Writes src/options.ts: the TypeScript types of the library's option tables, as the native part has them. With --check it
// only says whether the file is up to date.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'

const file = new URL('../src/options.ts', import.meta.url)
const { addon } = createRequire(import.meta.url)('../dist/native.js')

const HEAD = `// The options of clients, calls and servers, by their names in docs/CONFIGURATION.md. Generated from the library's tables by
// \`npm run options\`.

/** Milliseconds, or text with a unit: \`500ms\`, \`15s\`, \`2m\`. */
export type Duration = number | string
/** Bytes, or text with a unit: \`64KiB\`, \`16MiB\`. */
export type Size = number | string
`

const TYPES = {
  duration: 'Duration',
  size: 'Size',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  text: 'string',
  secret: 'string',
  path: 'string',
  list: 'string | readonly string[]',
}

/** Names first, then the numbers that are left to choices of the user's own. */
function choices(range) {
  const names = range.split(', ').filter((name) => name !== '…')
  const numbers = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const all = names.filter((name) => !/^\d+$/.test(name)).map((name) => `'${name}'`)
  if (numbers.length > 0) for (let n = Math.min(...numbers); n <= Math.max(...numbers); n++) all.push(String(n))
  return all.join(' | ')
}

function property(row, indent) {
  const name = row.name.split('.').at(-1)
  const type = row.type === 'choice' ? choices(row.range) : TYPES[row.type]
  if (type === undefined) throw new Error(`${row.name}: no type for ${row.type}`)
  const doc = row.doc.replaceAll('*/', '*\\/')
  const tail = row.default === '' ? '' : ` Default \`${row.default}\`.`
  return `${indent}/** ${doc}${tail} */\n${indent}${name}?: ${type} | undefined\n`
}

function declaration(name, doc, rows) {
  let text = `\n/** ${doc} */\nexport interface ${name} {\n`
  const groups = new Map()
  for (const row of rows) {
    const [group, inner] = row.name.split('.')
    if (inner === undefined) text += property(row, '  ')
    else groups.set(group, [...(groups.get(group) ?? []), row])
  }
  for (const [group, members] of groups) {
    text += `  /** Options of the group \`${group}\`. */\n  ${group}?: {\n`
    text += members.map((row) => property(row, '    ')).join('')
    text += '  } | undefined\n'
  }
  return `${text}}\n`
}

const rows = JSON.parse(addon.optionsJson())
const of = (scope) => rows.filter((row) => row.scope === scope)
const text =
  HEAD +
  declaration('ClientOptions', 'Options of a client.', of('client')) +
  declaration('CallSettings', 'Options of one call; what is left out takes the client\'s value.', of('call')) +
  declaration('ServerOptions', 'Options of a server.', of('server'))

if (!process.argv.includes('--check')) writeFileSync(file, text)
else if (readFileSync(file, 'utf8') !== text) {
  console.error('src/options.ts differs from the tables: npm run options')
  process.exit(1)
}
