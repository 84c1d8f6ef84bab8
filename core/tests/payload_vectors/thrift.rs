//! `thrift`: structs written by hand for the `thrift` crate against the bytes of Go's generated code.

use super::{VECTORS, hex, unhex};
use rpcx::codec::{CodecError, Decode, Encode, Thrift};
use rpcx::protocol::SerializeType;
use std::collections::{BTreeMap, BTreeSet};
use thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TOutputProtocol, TSerializable, TSetIdentifier,
    TStructIdentifier, TType,
};

const THRIFT: SerializeType = SerializeType::THRIFT;

/// Reads the fields of a struct: `field` takes one, or returns false to have it skipped.
fn read_fields(
    input: &mut dyn TInputProtocol,
    mut field: impl FnMut(&mut dyn TInputProtocol, i16, TType) -> thrift::Result<bool>,
) -> thrift::Result<()> {
    input.read_struct_begin()?;
    loop {
        let found = input.read_field_begin()?;
        if found.field_type == TType::Stop {
            return input.read_struct_end();
        }
        if !field(input, found.id.unwrap_or(-1), found.field_type)? {
            input.skip(found.field_type)?;
        }
        input.read_field_end()?;
    }
}

fn write_field(
    output: &mut dyn TOutputProtocol,
    id: i16,
    kind: TType,
    value: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    output.write_field_begin(&TFieldIdentifier::new("", kind, id))?;
    value(output)?;
    output.write_field_end()
}

fn begin(output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    output.write_struct_begin(&TStructIdentifier::new(""))
}

fn end(output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
    output.write_field_stop()?;
    output.write_struct_end()
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Args {
    a: i64,
    b: i64,
}

impl TSerializable for Args {
    fn read_from_in_protocol(input: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let mut args = Self::default();
        read_fields(input, |input, id, kind| {
            match (id, kind) {
                (1, TType::I64) => args.a = input.read_i64()?,
                (2, TType::I64) => args.b = input.read_i64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(args)
    }

    fn write_to_out_protocol(&self, output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        begin(output)?;
        write_field(output, 1, TType::I64, |output| output.write_i64(self.a))?;
        write_field(output, 2, TType::I64, |output| output.write_i64(self.b))?;
        end(output)
    }
}

/// Fields are left out where Go has a nil struct.
#[derive(Clone, Debug, Default, PartialEq)]
struct Inner {
    id: Option<i32>,
    name: Option<String>,
}

impl Inner {
    fn new(id: i32, name: &str) -> Self {
        Self { id: Some(id), name: Some(name.into()) }
    }
}

impl TSerializable for Inner {
    fn read_from_in_protocol(input: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let mut inner = Self::default();
        read_fields(input, |input, id, kind| {
            match (id, kind) {
                (1, TType::I32) => inner.id = Some(input.read_i32()?),
                (2, TType::String) => inner.name = Some(input.read_string()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(inner)
    }

    fn write_to_out_protocol(&self, output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        begin(output)?;
        if let Some(id) = self.id {
            write_field(output, 1, TType::I32, |output| output.write_i32(id))?;
        }
        if let Some(name) = &self.name {
            write_field(output, 2, TType::String, |output| output.write_string(name))?;
        }
        end(output)
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct All {
    bool: bool,
    byte: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    double: f64,
    string: String,
    binary: Vec<u8>,
    list: Vec<i32>,
    set: BTreeSet<String>,
    map: BTreeMap<String, i64>,
    inner: Inner,
    color: i32,
    opt: Option<i32>,
    inners: Vec<Inner>,
}

impl TSerializable for All {
    fn read_from_in_protocol(input: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let mut all = Self::default();
        read_fields(input, |input, id, kind| {
            match (id, kind) {
                (1, TType::Bool) => all.bool = input.read_bool()?,
                (2, TType::I08) => all.byte = input.read_i8()?,
                (3, TType::I16) => all.i16 = input.read_i16()?,
                (4, TType::I32) => all.i32 = input.read_i32()?,
                (5, TType::I64) => all.i64 = input.read_i64()?,
                (6, TType::Double) => all.double = input.read_double()?,
                (7, TType::String) => all.string = input.read_string()?,
                (8, TType::String) => all.binary = input.read_bytes()?,
                (9, TType::List) => {
                    for _ in 0..input.read_list_begin()?.size {
                        all.list.push(input.read_i32()?);
                    }
                    input.read_list_end()?;
                }
                (10, TType::Set) => {
                    for _ in 0..input.read_set_begin()?.size {
                        all.set.insert(input.read_string()?);
                    }
                    input.read_set_end()?;
                }
                (11, TType::Map) => {
                    for _ in 0..input.read_map_begin()?.size {
                        all.map.insert(input.read_string()?, input.read_i64()?);
                    }
                    input.read_map_end()?;
                }
                (12, TType::Struct) => all.inner = Inner::read_from_in_protocol(input)?,
                (13, TType::I32) => all.color = input.read_i32()?,
                (14, TType::I32) => all.opt = Some(input.read_i32()?),
                (15, TType::List) => {
                    for _ in 0..input.read_list_begin()?.size {
                        all.inners.push(Inner::read_from_in_protocol(input)?);
                    }
                    input.read_list_end()?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(all)
    }

    fn write_to_out_protocol(&self, output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        begin(output)?;
        write_field(output, 1, TType::Bool, |output| output.write_bool(self.bool))?;
        write_field(output, 2, TType::I08, |output| output.write_i8(self.byte))?;
        write_field(output, 3, TType::I16, |output| output.write_i16(self.i16))?;
        write_field(output, 4, TType::I32, |output| output.write_i32(self.i32))?;
        write_field(output, 5, TType::I64, |output| output.write_i64(self.i64))?;
        write_field(output, 6, TType::Double, |output| output.write_double(self.double))?;
        write_field(output, 7, TType::String, |output| output.write_string(&self.string))?;
        write_field(output, 8, TType::String, |output| output.write_bytes(&self.binary))?;
        write_field(output, 9, TType::List, |output| {
            output.write_list_begin(&TListIdentifier::new(TType::I32, self.list.len() as i32))?;
            self.list.iter().try_for_each(|item| output.write_i32(*item))?;
            output.write_list_end()
        })?;
        write_field(output, 10, TType::Set, |output| {
            output.write_set_begin(&TSetIdentifier::new(TType::String, self.set.len() as i32))?;
            self.set.iter().try_for_each(|item| output.write_string(item))?;
            output.write_set_end()
        })?;
        write_field(output, 11, TType::Map, |output| {
            output.write_map_begin(&TMapIdentifier::new(TType::String, TType::I64, self.map.len() as i32))?;
            for (key, value) in &self.map {
                output.write_string(key)?;
                output.write_i64(*value)?;
            }
            output.write_map_end()
        })?;
        write_field(output, 12, TType::Struct, |output| self.inner.write_to_out_protocol(output))?;
        write_field(output, 13, TType::I32, |output| output.write_i32(self.color))?;
        if let Some(opt) = self.opt {
            write_field(output, 14, TType::I32, |output| output.write_i32(opt))?;
        }
        write_field(output, 15, TType::List, |output| {
            output.write_list_begin(&TListIdentifier::new(TType::Struct, self.inners.len() as i32))?;
            self.inners.iter().try_for_each(|item| item.write_to_out_protocol(output))?;
            output.write_list_end()
        })?;
        end(output)
    }
}

fn value(name: &str) -> All {
    let numbers = |byte, i16, i32, i64| All { byte, i16, i32, i64, inner: Inner::new(0, ""), ..All::default() };
    match name {
        "zero" => All::default(),
        "min" => numbers(i8::MIN, i16::MIN, i32::MIN, i64::MIN),
        "max" => All { double: f64::MAX, ..numbers(i8::MAX, i16::MAX, i32::MAX, i64::MAX) },
        "values" => All {
            bool: true,
            double: 1.5,
            string: "größe".into(),
            binary: vec![0, 255],
            list: vec![1, -1],
            set: BTreeSet::from(["a".into()]),
            map: BTreeMap::from([("k".into(), 7)]),
            inner: Inner::new(1, "in"),
            color: 2,
            opt: Some(5),
            inners: vec![Inner::new(2, "x")],
            ..numbers(-1, -2, -3, -4)
        },
        other => panic!("unknown case {other}"),
    }
}

#[test]
fn every_struct_has_gos_bytes() {
    for case in &VECTORS.thrift {
        match (case.name.as_str(), &case.thrift) {
            ("not-a-struct", None) => {} // does not compile here
            (name, Some(payload)) if name.starts_with("decode-") => decodes(name, payload),
            (name, Some(payload)) => {
                let expected = value(name);
                let mut encoded = Vec::new();
                Thrift::encode(THRIFT, &expected, &mut encoded).unwrap();
                assert_eq!(hex(&encoded), *payload, "{name}");
                assert_eq!(Thrift::decode(THRIFT, &encoded.into()), Ok(expected), "{name}");
            }
            (name, None) => panic!("{name} has no payload"),
        }
    }
}

fn decodes(name: &str, payload: &str) {
    let result: Result<Args, CodecError> = Thrift::decode(THRIFT, &unhex(payload).into());
    match name {
        "decode-unknown-field" => assert_eq!(result, Ok(Args { a: 10, b: 20 })),
        "decode-wrong-type" | "decode-stop-only" => assert_eq!(result, Ok(Args::default())),
        "decode-empty" => assert!(result.unwrap_err().to_string().contains("unexpected end")),
        "decode-truncated" => assert!(result.unwrap_err().to_string().contains("payload of 5 bytes")),
        other => panic!("unknown case {other}"),
    }
}

#[test]
fn a_declared_length_beyond_the_payload_is_refused() {
    for payload in ["0b00077fffffff", "0f0009087fffffff", "0d000b0b0a7fffffff", "0b0007ffffffff", "0b00630000ffff00"] {
        let result: Result<All, CodecError> = Thrift::decode(THRIFT, &unhex(payload).into());
        assert!(matches!(result, Err(CodecError::Decode(_))), "{payload}: {result:?}");
    }
    let skipped_depth = [[0x0c, 0, 1].repeat(100_000), vec![0; 100_001]].concat();
    let result: Result<Args, CodecError> = Thrift::decode(THRIFT, &skipped_depth.into());
    assert!(matches!(result, Err(CodecError::Decode(_))), "{result:?}");
}
