//! The Go types of the vectors in Rust. Field names are those of the wire.
#![allow(non_snake_case)]

use rpcx::codec::{Int, Timestamp, Uint, Value};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

macro_rules! go_types {
    ($($(#[$attribute:meta])* $name:ident $(<$generic:ident>)? { $($(#[$on_field:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            $(#[$attribute])*
            pub(crate) struct $name $(<$generic>)? {
                $($(#[$on_field])* pub(crate) $field: $type),*
            }
        )*
    };
}

go_types! {
    Inner { ID: i32, Name: String }
    Base { BaseID: i64, Shared: String }
    Ints { I: Int, I8: i8, I16: i16, I32: i32, I64: i64, U: Uint, U8: u8, U16: u16, U32: u32, U64: u64 }
    Scalars { F32: f32, F64: f64, B: bool, S: String, Bin: Option<ByteBuf> }
    Nilable {
        P: Option<Box<Inner>>,
        PI: Option<i64>,
        S: Option<Vec<i32>>,
        B: Option<ByteBuf>,
        M: Option<BTreeMap<String, Int>>,
        A: Value,
    }
    Nested {
        In: Inner,
        Ptr: Option<Box<Inner>>,
        L: Option<Vec<Inner>>,
        LP: Option<Vec<Option<Inner>>>,
        Arr: [i16; 3],
    }
    Embedded { #[serde(flatten)] Base: Base, X: Int }
    /// A nil embedded pointer: MessagePack has nil for each of its fields, JSON leaves them out.
    EmbeddedNil { BaseID: Option<i64>, Shared: Option<String>, X: Int }
    EmbeddedNilJson { #[serde(flatten)] Base: Option<Base>, X: Int }
    EmbeddedNamedJson { base: Base, X: Int }
    /// Both fields of the name `Shared` are written; the outer one comes last, and wins.
    EmbeddedShadow { #[serde(flatten)] Base: Base, Shared: String }
    Shadowed { BaseID: i64, Shared: String }
    /// Go's tags name fields differently in the two formats.
    Tagged {
        a: Int,
        B: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        c: String,
        #[serde(skip_serializing_if = "is_zero")]
        E: Int,
        F: i64,
    }
    TaggedJson {
        aa: Int,
        #[serde(skip_serializing_if = "String::is_empty")]
        b: String,
        C: String,
        #[serde(skip_serializing_if = "is_zero")]
        E: Int,
        f: String,
    }
    AsArrayJson { A: Int, B: String }
    Maps {
        MSI: BTreeMap<String, Int>,
        MSA: BTreeMap<String, Int>,
        MIS: BTreeMap<Int, String>,
        MSS: BTreeMap<String, String>,
    }
    Times { T: Timestamp, D: i64 }
    Filled {
        I: Int,
        S: String,
        SL: Vec<Int>,
        MP: BTreeMap<String, Int>,
        St: Inner,
        R: [Int; 2],
        T: Timestamp,
        PT: Option<Timestamp>,
        D: i64,
        L: Vec<Timestamp>,
        M: BTreeMap<String, Timestamp>,
    }
    FieldI { I: Int }
    FieldU { U: Uint }
    FieldS { S: String }
    FieldD { D: i64 }
    FieldV<T> { V: T }
    FieldC { C: Int }
    FloatA { A: f64 }
    FloatAB { A: f64, B: f64 }
}

/// A Go struct with the tag `as_array`: in MessagePack a tuple.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AsArray(pub(crate) Int, pub(crate) String);

fn is_zero(value: &Int) -> bool {
    value.0 == 0
}

pub(crate) fn inner(id: i32, name: &str) -> Inner {
    Inner { ID: id, Name: name.to_owned() }
}

pub(crate) fn bytes(bytes: &[u8]) -> ByteBuf {
    ByteBuf::from(bytes.to_vec())
}
