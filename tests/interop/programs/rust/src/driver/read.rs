//! Arguments from JSON: typed values from the form in which a driver's lines have them. Bytes are hexadecimal text, integers
//! may be decimal text, null is an empty list, map, struct or byte string. A field that a struct lacks is refused.

use super::misuse;
use rpcx::Result as CallResult;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

/// The arguments of a call.
pub(super) fn args<T: DeserializeOwned>(args: &Value) -> CallResult<T> {
    T::deserialize(Line(args)).map_err(|error| misuse(format!("args: {error}")))
}

/// The bytes of hexadecimal text.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

/// A value of a line.
#[derive(Clone, Copy)]
struct Line<'a>(&'a Value);

impl Line<'_> {
    #[cold]
    fn wrong(self, expected: &str) -> Error {
        Error::custom(format!("{} is no {expected}", self.0))
    }

    fn map<'de, V: Visitor<'de>>(object: &Map<String, Value>, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { rest: object.iter(), value: None })
    }
}

impl<'de> IntoDeserializer<'de> for Line<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! integers {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0 {
                Value::String(text) => match (text.parse::<i64>(), text.parse::<u64>()) {
                    (Ok(number), _) => visitor.visit_i64(number),
                    (_, Ok(number)) => visitor.visit_u64(number),
                    _ => Err(self.wrong("integer")),
                },
                _ => self.deserialize_any(visitor),
            }
        }
    )* };
}

impl<'de> Deserializer<'de> for Line<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_i64(number),
                (_, Some(number), _) => visitor.visit_u64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                _ => Err(self.wrong("number")),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.as_f64() {
            Some(number) if (number as f32).is_finite() => visitor.visit_f64(number),
            _ => Err(self.wrong("number of single precision")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_byte_buf(Vec::new()),
            Value::String(text) => match hex(text) {
                Some(bytes) => visitor.visit_byte_buf(bytes),
                None => Err(self.wrong("hexadecimal text")),
            },
            _ => Err(self.wrong("hexadecimal text")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<Line<'_>>())),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Line))),
            _ => Err(self.wrong("list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, Line<'_>)>())),
            Value::Object(object) => Line::map(object, visitor),
            _ => Err(self.wrong("object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Object(object) = self.0
            && let Some(unknown) = object.keys().find(|key| !fields.contains(&key.as_str()))
        {
            return Err(Error::custom(format!("unknown field {unknown:?}, expected {}", fields.join(", "))));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i128 u128 f64 char str string unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// An object's fields; an error names the field it is about.
struct Fields<'a> {
    rest: serde_json::map::Iter<'a>,
    value: Option<(&'a String, &'a Value)>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        self.value.map(|(key, _)| seed.deserialize(key.as_str().into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) = self.value.take().ok_or_else(|| Error::custom("a value without its key"))?;
        seed.deserialize(Line(value)).map_err(|error| Error::custom(format!("{key}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Nested, Types};
    use serde_json::json;

    #[test]
    fn typed_values_are_read_from_their_form_in_lines() {
        let line = json!({
            "I64": "-9223372036854775808", "U64": "18446744073709551615", "I8": -128, "F32": 0.1, "Bytes": "00ff",
            "Time": "1970-01-01T00:00:01.5Z", "IntList": null, "Map": {"a": "1"}, "Ptr": {"A": 1}, "List": [{"B": 2}],
        });
        let types: Types = args(&line).unwrap();
        assert_eq!((types.i64, types.u64, types.i8, types.f32), (i64::MIN, u64::MAX, -128, 0.1));
        assert_eq!((types.bytes, types.time.to_string()), (vec![0, 255], "1970-01-01T00:00:01.5Z".into()));
        assert_eq!((types.int_list, types.map["a"], types.ptr), (vec![], 1, Some(Nested { a: 1, b: 0 })));
        assert_eq!(types.list, [Nested { a: 0, b: 2 }]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (line, named) in [
            (json!({"X": 1}), "X"),
            (json!({"List": [{"A": 1, "C": 2}]}), "List: unknown field \"C\""),
            (json!({"I8": 128}), "I8"),
            (json!({"U64": -1}), "U64"),
            (json!({"I64": "9223372036854775808"}), "I64"),
            (json!({"I64": 1.5}), "I64"),
            (json!({"F32": 1e39}), "F32"),
            (json!({"Bytes": "0"}), "Bytes"),
            (json!({"Str": 5}), "Str"),
            (json!({"Time": "noon"}), "Time"),
            (json!([]), "object"),
        ] {
            let error = args::<Types>(&line).unwrap_err();
            assert!(error.message().contains(named), "{line}: {error}");
        }
    }
}
