// Arguments and replies of the test services, by method. The names on the wire are Go's.

import { bool, bytes, f32, f64, i16, i32, i64, i8, list, map, optional, str, struct, time, u16, u32, u64, u8 } from './schema.js'

const Nothing = struct({})
const Numbers = struct({ A: i64, B: i64 })
const Result = struct({ C: i64 })
const Wait = struct({ Ms: i64 })
const Text = struct({ Text: str })

export const Types = struct({
  Bool: bool,
  I8: i8,
  I16: i16,
  I32: i32,
  I64: i64,
  U8: u8,
  U16: u16,
  U32: u32,
  U64: u64,
  F32: f32,
  F64: f64,
  Str: str,
  Bytes: bytes,
  Time: time,
  Dur: i64,
  IntList: list(i64),
  StrList: list(str),
  Map: map(i64),
  Nested: Numbers,
  Ptr: optional(Numbers),
  List: list(Numbers),
})

/** Arguments and reply by `Service.Method`. */
export const METHODS = {
  'Arith.Mul': [Numbers, Result],
  'Arith.Add': [Numbers, Result],
  'Arith.Div': [Numbers, Result],
  'Arith.Say': [str, str],
  'Alias.Times': [Numbers, Result],
  'Fn.Greet': [str, str],
  'Echo.Types': [Types, Types],
  'Echo.Meta': [Nothing, Nothing],
  'Test.Sleep': [Wait, struct({ Slept: i64 })],
  'Test.Block': [Wait, struct({ Slept: i64 })],
  'Test.Fail': [Text, Nothing],
  'Test.Panic': [Text, Nothing],
  'Test.Size': [struct({ Bytes: i64 }), struct({ Data: bytes })],
  'Test.Count': [struct({ Method: str }), struct({ Started: i64, Finished: i64, Cancelled: i64 })],
  'Test.Deadline': [Nothing, Wait],
  'Test.Peer': [Nothing, struct({ Address: str, Tls: str })],
  'Test.Nested': [struct({ Address: str, Depth: i64, Ms: i64 }), Wait],
  'Test.Push': [struct({ Count: i64, Text: str }), Nothing],
  'Test.Close': [Nothing, Nothing],
}

/** So many bytes: byte `i` is (31·i + 7) mod 256. */
export function pattern(size) {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = (31 * (i & 0xff) + 7) & 0xff
  return bytes
}
