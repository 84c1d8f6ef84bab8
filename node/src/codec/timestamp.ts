// A moment to the nanosecond: a Date with what a Date cannot hold.

const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/

/**
 * A moment as Go's `time.Time` travels: the timestamp extension in MessagePack, RFC 3339 in JSON. It is a `Date`, which has
 * milliseconds, with the nanoseconds beside it; the setters of `Date` leave those as they were.
 *
 * ```ts
 * Timestamp.of('2023-11-14T22:13:20.000000001Z').nanos // 1
 * ```
 */
export class Timestamp extends Date {
  /** Nanoseconds within the second, from 0 to 999,999,999. */
  readonly nanos: number

  /**
   * The moment so many seconds after the Unix epoch, and so many nanoseconds after that.
   *
   * @throws RangeError when it is out of the range of `Date`, or `nanos` is no such number.
   */
  constructor(seconds: number, nanos = 0) {
    super(seconds * 1000 + Math.floor(nanos / 1e6))
    if (!Number.isInteger(nanos) || nanos < 0 || nanos > 999_999_999) throw new RangeError(`${nanos}: no nanoseconds`)
    if (!Number.isInteger(seconds) || Number.isNaN(this.getTime())) throw new RangeError(`${seconds} s: no moment`)
    this.nanos = nanos
  }

  /**
   * The moment of a `Date` or of an RFC 3339 text, whose digits beyond nanoseconds are cut off.
   *
   * @throws RangeError when it is none.
   */
  static of(moment: Date | string): Timestamp {
    if (moment instanceof Timestamp) return moment
    let fraction: string | undefined
    let millis: number
    if (typeof moment === 'string') {
      const parts = RFC3339.exec(moment)
      // Date.parse takes more forms than RFC 3339 has.
      millis = parts === null ? NaN : Date.parse(`${parts[1]}T${parts[2]}${parts[4]!.toUpperCase()}`)
      fraction = parts?.[3]
    } else {
      millis = moment.getTime()
    }
    if (Number.isNaN(millis)) throw new RangeError(`${String(moment)} is no moment`)
    const seconds = Math.floor(millis / 1000)
    const nanos = fraction === undefined ? (millis - seconds * 1000) * 1e6 : Number(fraction.padEnd(9, '0').slice(0, 9))
    return new Timestamp(seconds, nanos)
  }

  /** Whole seconds since the Unix epoch, negative before it. */
  get seconds(): number {
    return Math.floor(this.getTime() / 1000)
  }

  /** RFC 3339 in UTC, with as many decimals as it takes. */
  override toJSON(): string {
    const fraction = this.nanos === 0 ? '' : `.${String(this.nanos).padStart(9, '0').replace(/0+$/, '')}`
    return `${this.toISOString().replace(/\.\d+Z$/, '')}${fraction}Z`
  }

  /** The same as {@link toJSON}. */
  override toString(): string {
    return this.toJSON()
  }
}
