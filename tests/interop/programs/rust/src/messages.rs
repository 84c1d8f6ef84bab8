//! Arguments and replies of the test services. The names on the wire are Go's.

use rpcx::codec::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! messages {
    ($( $(#[doc = $doc:literal])+ $name:ident { $( $(#[$meta:meta])* $field:ident: $type:ty, )* } )+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct $name { $( $(#[$meta])* #[allow(missing_docs, reason = "the names say it")] pub $field: $type, )* }
    )+ };
}

messages! {
    /// Nothing.
    Nothing {}
    /// Arguments of `Test.Sleep` and `Test.Block`.
    SleepArgs { ms: i64, }
    /// Milliseconds slept.
    SleepReply { slept: i64, }
    /// Arguments of `Test.Fail` and `Test.Panic`.
    TextArgs { text: String, }
    /// Arguments of `Test.Size`; in raw a decimal number.
    SizeArgs { bytes: i64, }
    /// The reply of `Test.Size`; in raw the bytes alone.
    SizeReply { #[serde(with = "serde_bytes")] data: Vec<u8>, }
    /// Arguments of `Test.Count`: a `Service.Method`.
    CountArgs { method: String, }
    /// How often a method ran.
    CountReply { started: i64, finished: i64, cancelled: i64, }
    /// Milliseconds until a deadline; −1 without one.
    MsReply { ms: i64, }
    /// Who calls.
    PeerReply { address: String, tls: String, }
    /// Arguments of `Test.Nested`.
    NestedArgs { address: String, depth: i64, ms: i64, }
    /// Arguments of `Test.Push`.
    PushArgs { count: i64, text: String, }
    /// Two numbers, as part of [`Types`].
    Nested { a: i64, b: i64, }
    /// A field of every type.
    Types {
        bool: bool,
        i8: i8,
        i16: i16,
        i32: i32,
        i64: i64,
        u8: u8,
        u16: u16,
        u32: u32,
        u64: u64,
        f32: f32,
        f64: f64,
        str: String,
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        time: Timestamp,
        dur: i64,
        int_list: Vec<i64>,
        str_list: Vec<String>,
        map: BTreeMap<String, i64>,
        nested: Nested,
        ptr: Option<Nested>,
        list: Vec<Nested>,
    }
}

/// So many bytes: byte `i` is `(31·i + 7) mod 256`.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| i.wrapping_mul(31).wrapping_add(7) as u8).collect()
}
