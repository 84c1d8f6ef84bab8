//! A Protocol Buffers message and a Thrift struct with a field of every kind, recursive both.

use std::collections::{BTreeMap, BTreeSet};

use thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TOutputProtocol, TSerializable, TSetIdentifier,
    TStructIdentifier, TType,
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    #[prost(double, tag = "1")]
    double: f64,
    #[prost(float, tag = "2")]
    float: f32,
    #[prost(int32, tag = "3")]
    int32: i32,
    #[prost(uint64, tag = "4")]
    uint64: u64,
    #[prost(sint64, tag = "5")]
    sint64: i64,
    #[prost(fixed32, tag = "6")]
    fixed32: u32,
    #[prost(sfixed64, tag = "7")]
    sfixed64: i64,
    #[prost(bool, tag = "8")]
    bool: bool,
    #[prost(string, tag = "9")]
    string: String,
    #[prost(bytes = "vec", tag = "10")]
    bytes: Vec<u8>,
    #[prost(int32, repeated, tag = "11")]
    packed: Vec<i32>,
    #[prost(string, repeated, tag = "12")]
    strings: Vec<String>,
    #[prost(btree_map = "string, int64", tag = "13")]
    map: BTreeMap<String, i64>,
    #[prost(oneof = "Pick", tags = "14, 15")]
    pick: Option<Pick>,
    #[prost(int32, optional, tag = "16")]
    maybe: Option<i32>,
    #[prost(message, optional, boxed, tag = "17")]
    inner: Option<Box<Message>>,
    #[prost(message, repeated, tag = "18")]
    inners: Vec<Message>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Pick {
    #[prost(string, tag = "14")]
    Text(String),
    #[prost(int64, tag = "15")]
    Number(i64),
}

#[derive(Debug, Default)]
pub(super) struct Struct {
    bool: bool,
    byte: i8,
    i16: i16,
    i64: i64,
    double: f64,
    string: String,
    binary: Vec<u8>,
    list: Vec<i32>,
    set: BTreeSet<String>,
    map: BTreeMap<String, i64>,
    /// One inner struct: its own depth is bounded by hand, as generated code leaves that to its users.
    inner: Option<Box<Struct>>,
}

/// How deep inner structs are read; what lies deeper is skipped, which has the crate's own limit.
const DEPTH: usize = 20;

impl Struct {
    fn read(input: &mut dyn TInputProtocol, depth: usize) -> thrift::Result<Self> {
        let mut read = Self::default();
        input.read_struct_begin()?;
        loop {
            let field = input.read_field_begin()?;
            match (field.id, field.field_type) {
                (_, TType::Stop) => break,
                (Some(1), TType::Bool) => read.bool = input.read_bool()?,
                (Some(2), TType::I08) => read.byte = input.read_i8()?,
                (Some(3), TType::I16) => read.i16 = input.read_i16()?,
                (Some(4), TType::I64) => read.i64 = input.read_i64()?,
                (Some(5), TType::Double) => read.double = input.read_double()?,
                (Some(6), TType::String) => read.string = input.read_string()?,
                (Some(7), TType::String) => read.binary = input.read_bytes()?,
                (Some(8), TType::List) => {
                    for _ in 0..input.read_list_begin()?.size {
                        read.list.push(input.read_i32()?);
                    }
                    input.read_list_end()?;
                }
                (Some(9), TType::Set) => {
                    for _ in 0..input.read_set_begin()?.size {
                        read.set.insert(input.read_string()?);
                    }
                    input.read_set_end()?;
                }
                (Some(10), TType::Map) => {
                    for _ in 0..input.read_map_begin()?.size {
                        read.map.insert(input.read_string()?, input.read_i64()?);
                    }
                    input.read_map_end()?;
                }
                (Some(11), TType::Struct) if depth > 0 => read.inner = Some(Box::new(Self::read(input, depth - 1)?)),
                (_, other) => input.skip(other)?,
            }
            input.read_field_end()?;
        }
        input.read_struct_end()?;
        Ok(read)
    }
}

fn field(
    output: &mut dyn TOutputProtocol,
    id: i16,
    kind: TType,
    value: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    output.write_field_begin(&TFieldIdentifier::new("", kind, id))?;
    value(output)?;
    output.write_field_end()
}

impl TSerializable for Struct {
    fn read_from_in_protocol(input: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        Self::read(input, DEPTH)
    }

    fn write_to_out_protocol(&self, output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        output.write_struct_begin(&TStructIdentifier::new(""))?;
        field(output, 1, TType::Bool, |output| output.write_bool(self.bool))?;
        field(output, 2, TType::I08, |output| output.write_i8(self.byte))?;
        field(output, 3, TType::I16, |output| output.write_i16(self.i16))?;
        field(output, 4, TType::I64, |output| output.write_i64(self.i64))?;
        field(output, 5, TType::Double, |output| output.write_double(self.double))?;
        field(output, 6, TType::String, |output| output.write_string(&self.string))?;
        field(output, 7, TType::String, |output| output.write_bytes(&self.binary))?;
        field(output, 8, TType::List, |output| {
            output.write_list_begin(&TListIdentifier::new(TType::I32, self.list.len() as i32))?;
            self.list.iter().try_for_each(|item| output.write_i32(*item))?;
            output.write_list_end()
        })?;
        field(output, 9, TType::Set, |output| {
            output.write_set_begin(&TSetIdentifier::new(TType::String, self.set.len() as i32))?;
            self.set.iter().try_for_each(|item| output.write_string(item))?;
            output.write_set_end()
        })?;
        field(output, 10, TType::Map, |output| {
            output.write_map_begin(&TMapIdentifier::new(TType::String, TType::I64, self.map.len() as i32))?;
            for (key, value) in &self.map {
                output.write_string(key)?;
                output.write_i64(*value)?;
            }
            output.write_map_end()
        })?;
        if let Some(inner) = &self.inner {
            field(output, 11, TType::Struct, |output| inner.write_to_out_protocol(output))?;
        }
        output.write_field_stop()?;
        output.write_struct_end()
    }
}
