// What JavaScript does to a property called `__proto__`, undone.

/** Sets a property of a plain object, whatever its name. */
export function set(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    object[key] = value
  }
}
