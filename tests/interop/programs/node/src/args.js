// A small command line: `--name VALUE…`, every name known in advance.

/** Says what is wrong with the command line and ends the process with status 2. */
export function refuse(misuse, usage) {
  console.error(`${misuse}\n\n${usage}`)
  process.exit(2)
}

/** The values of this process's arguments by name. Prints `usage` for `--help`; ends with status 2 for what is not known. */
export function parse(usage, known) {
  const given = process.argv.slice(2)
  if (given.includes('--help') || given.includes('-h')) {
    process.stdout.write(usage)
    process.exit(0)
  }
  const values = new Map()
  let current
  for (const arg of given) {
    if (arg.startsWith('--')) {
      const name = arg.slice(2)
      if (!known.includes(name)) refuse(`unknown argument ${arg}`, usage)
      if (!values.has(name)) values.set(name, [])
      current = values.get(name)
    } else if (current === undefined) {
      refuse(`unknown argument ${arg}`, usage)
    } else {
      current.push(arg)
    }
  }
  for (const [name, { length }] of values) if (length === 0) refuse(`--${name} needs a value`, usage)
  return {
    /** All values of a name. */
    all: (name) => values.get(name) ?? [],
    /** The value of a name that may be given once. */
    one(name) {
      const [value, other] = values.get(name) ?? []
      if (other !== undefined) refuse(`--${name} is given once, but ${other} follows`, usage)
      return value
    },
  }
}
