//! The messages of `Arith`, in four formats at once: serde's two by derive, Protocol Buffers by derive, Thrift by hand.

use prost::Message;
use rpcx::codec::{Protobuf, Serde, Thrift};
use serde::{Deserialize, Serialize};
use thrift::protocol::{TFieldIdentifier, TInputProtocol, TOutputProtocol, TSerializable, TStructIdentifier, TType};

/// MessagePack, JSON, Protocol Buffers and Thrift; a request's own format is its answer's.
pub type Codecs = (Serde, Protobuf, Thrift);

/// Two numbers.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ArithArgs {
    /// The first.
    #[prost(int64, tag = "1")]
    pub a: i64,
    /// The second.
    #[prost(int64, tag = "2")]
    pub b: i64,
}

/// What came of them.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ArithReply {
    /// The result.
    #[prost(int64, tag = "1")]
    pub c: i64,
}

impl TSerializable for ArithArgs {
    fn read_from_in_protocol(input: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let mut args = ArithArgs::default();
        read_numbers(input, |field, value| match field {
            1 => args.a = value,
            2 => args.b = value,
            _ => {}
        })?;
        Ok(args)
    }

    fn write_to_out_protocol(&self, output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        write_numbers(output, "ArithArgs", &[("A", 1, self.a), ("B", 2, self.b)])
    }
}

impl TSerializable for ArithReply {
    fn read_from_in_protocol(input: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let mut reply = ArithReply::default();
        read_numbers(input, |field, value| {
            if field == 1 {
                reply.c = value;
            }
        })?;
        Ok(reply)
    }

    fn write_to_out_protocol(&self, output: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        write_numbers(output, "ArithReply", &[("C", 1, self.c)])
    }
}

/// Reads a struct of `i32` fields; fields of other types are skipped.
fn read_numbers(input: &mut dyn TInputProtocol, mut set: impl FnMut(i16, i64)) -> thrift::Result<()> {
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        match (field.field_type, field.id) {
            (TType::Stop, _) => break,
            (TType::I32, Some(id)) => set(id, input.read_i32()?.into()),
            (other, _) => input.skip(other)?,
        }
        input.read_field_end()?;
    }
    input.read_struct_end()
}

/// Writes a struct of `i32` fields; a larger number is an error.
fn write_numbers(output: &mut dyn TOutputProtocol, name: &str, fields: &[(&str, i16, i64)]) -> thrift::Result<()> {
    output.write_struct_begin(&TStructIdentifier::new(name))?;
    for &(field, id, value) in fields {
        let value = i32::try_from(value).map_err(|_| {
            thrift::new_protocol_error(thrift::ProtocolErrorKind::InvalidData, format!("{field}: {value} is no i32"))
        })?;
        output.write_field_begin(&TFieldIdentifier::new(field, TType::I32, id))?;
        output.write_i32(value)?;
        output.write_field_end()?;
    }
    output.write_field_stop()?;
    output.write_struct_end()
}
