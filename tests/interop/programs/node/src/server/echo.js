// `Echo`: what comes in goes out.

/** Sends the request's metadata back with `echo-` before each key. */
export function echoMetadata(ctx) {
  for (const [key, value] of Object.entries(ctx.metadata)) {
    if (!key.startsWith('__')) ctx.setMetadata(`echo-${key}`, value)
  }
}

/** The methods with types, by name. */
export const echoService = {
  Types: (value) => value,
  Meta(_, ctx) {
    echoMetadata(ctx)
    return {}
  },
}
