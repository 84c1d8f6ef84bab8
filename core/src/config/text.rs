//! Options in serde's data formats: a map from names to values, read through set-by-name so that every check holds.

use super::value::Value;
use crate::error::Result as SetResult;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// Sets one option; the struct behind it does not matter here.
type Set<'a> = dyn FnMut(&str, &str) -> SetResult<()> + 'a;

pub(crate) fn serialize<S: Serializer>(
    values: impl Iterator<Item = (&'static str, Value)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in values {
        if !matches!(value, Value::Unset | Value::Secret) {
            map.serialize_entry(name, &value)?;
        }
    }
    map.end()
}

impl Serialize for Value {
    /// Booleans, numbers, texts and lists as such; a secret as `***`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unset => serializer.serialize_none(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_u64(*value),
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => values.serialize(serializer),
            Self::Secret => serializer.serialize_str("***"),
        }
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, set: &mut Set<'_>) -> Result<(), D::Error> {
    deserializer.deserialize_map(Options { group: "", set })
}

/// A map of options, or of those of one group.
struct Options<'a, 'b> {
    group: &'a str,
    set: &'a mut Set<'b>,
}

impl<'de> Visitor<'de> for Options<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let name = if self.group.is_empty() { name } else { format!("{}.{name}", self.group) };
            map.next_value_seed(OneOption { name: &name, set: self.set })?;
        }
        Ok(())
    }
}

/// The value behind a name: turned into text and set.
struct OneOption<'a, 'b> {
    name: &'a str,
    set: &'a mut Set<'b>,
}

impl OneOption<'_, '_> {
    fn text<E: de::Error>(self, text: &str) -> Result<(), E> {
        (self.set)(self.name, text).map_err(|error| E::custom(error.message()))
    }
}

impl<'de> DeserializeSeed<'de> for OneOption<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneOption<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text, a number, a boolean or a list for option `{}`", self.name)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.text(value)
    }

    /// Null keeps the default.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<String>()? {
            items.push(item);
        }
        self.text(&items.join(","))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.name.contains('.') {
            // Groups do not nest; without this a hostile file could recurse as deep as its format allows.
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Err(de::Error::custom(format!("unknown option group `{}`", self.name)));
        }
        Options { group: self.name, set: self.set }.visit_map(map)
    }
}
