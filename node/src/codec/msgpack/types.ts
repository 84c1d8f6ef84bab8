// Values of MessagePack that JavaScript has no types for.

/** An extension type that MessagePack itself gives no meaning. */
export class Extension {
  constructor(
    /** From −128 to 127; −1 is taken by timestamps. */
    readonly type: number,
    /** Its bytes. */
    readonly data: Uint8Array,
  ) {}
}

/**
 * A number of single precision. Go reads a `float32` only from one that was written as such; decoding gives plain numbers.
 */
export class Float32 {
  constructor(
    /** Rounded when it is written. */
    readonly value: number,
  ) {}

  /** The number, which is what JSON writes. */
  toJSON(): number {
    return this.value
  }
}
