//! Keys and values of a struct's object: names in any letter case, in the order of the payload or looked up first.

use super::access::{Seed, fault};
use super::de::Lenient;
use crate::codec::fault::Fault;
use crate::codec::pass::Pass;
use crate::codec::structure::Entries;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A key, spelled as the struct spells it if it is one of its fields.
#[derive(Clone, Copy)]
struct FieldName {
    fields: &'static [&'static str],
    /// Fields mostly come in their order.
    expected: usize,
}

impl FieldName {
    fn find(&self, name: &str) -> Option<usize> {
        if self.fields.get(self.expected).is_some_and(|field| *field == name) {
            return Some(self.expected);
        }
        self.fields
            .iter()
            .position(|field| *field == name)
            .or_else(|| self.fields.iter().position(|field| same_letters(field, name)))
    }
}

/// Equality without letter case, by Unicode's simple folding: one character stays one.
fn same_letters(a: &str, b: &str) -> bool {
    fn single(character: char, mut mapped: impl Iterator<Item = char>) -> char {
        mapped.next().filter(|_| mapped.next().is_none()).unwrap_or(character)
    }
    fn fold(character: char) -> char {
        // Upper case first: ſ and the Kelvin sign have a simple letter there.
        let upper = single(character, character.to_uppercase());
        single(upper, upper.to_lowercase())
    }
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { a.chars().map(fold).eq(b.chars().map(fold)) }
}

enum Name<'de> {
    Field(usize),
    Other(Cow<'de, str>),
}

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Name<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for FieldName {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(self.find(name).map_or(Name::Other(Cow::Borrowed(name)), Name::Field))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(self.find(name).map_or_else(|| Name::Other(Cow::Owned(name.to_owned())), Name::Field))
    }
}

/// Entries as they come.
pub(super) struct Streamed<'p, A> {
    map: A,
    pass: &'p Pass,
    name: FieldName,
}

impl<'p, A> Streamed<'p, A> {
    pub(super) fn new(map: A, pass: &'p Pass, fields: &'static [&'static str]) -> Self {
        Self { map, pass, name: FieldName { fields, expected: 0 } }
    }
}

impl<'de, A: MapAccess<'de>> Entries<'de> for Streamed<'_, A> {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        let key = self.map.next_key_seed(self.name).map_err(|error| fault(self.pass, error))?;
        Ok(key.map(|name| match name {
            Name::Field(index) => {
                self.name.expected = index + 1;
                Cow::Borrowed(self.name.fields[index])
            }
            Name::Other(name) => name,
        }))
    }

    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        self.map.next_value_seed(Seed { seed, pass: self.pass }).map_err(|error| fault(self.pass, error))
    }
}

/// Entries of which only the last of each field is left.
pub(super) struct Indexed<'p, 'de> {
    entries: std::vec::IntoIter<(Cow<'de, str>, &'de RawValue)>,
    value: Option<&'de RawValue>,
    pass: &'p Pass,
}

impl<'p, 'de> Indexed<'p, 'de> {
    pub(super) fn new<A: MapAccess<'de>>(
        mut map: A,
        pass: &'p Pass,
        fields: &'static [&'static str],
    ) -> Result<Self, Fault> {
        let mut entries: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        let mut found: Vec<Option<usize>> = vec![None; fields.len()];
        let seed = FieldName { fields, expected: 0 };
        while let Some(name) = map.next_key_seed(seed).map_err(|error| fault(pass, error))? {
            let value = map.next_value::<&'de RawValue>().map_err(|error| fault(pass, error))?;
            match name {
                Name::Field(field) => match found[field] {
                    Some(earlier) => entries[earlier].1 = value,
                    None => {
                        found[field] = Some(entries.len());
                        entries.push((Cow::Borrowed(fields[field]), value));
                    }
                },
                Name::Other(name) => entries.push((name, value)),
            }
        }
        Ok(Self { entries: entries.into_iter(), value: None, pass })
    }
}

impl<'de> Entries<'de> for Indexed<'_, 'de> {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        Ok(self.entries.next().map(|(name, value)| {
            self.value = Some(value);
            name
        }))
    }

    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let value = self.value.take().ok_or_else(|| Fault::new("a value was asked for before its key"))?;
        let mut inner = serde_json::Deserializer::from_str(value.get());
        inner.disable_recursion_limit(); // the pass counts
        seed.deserialize(Lenient { inner: &mut inner, pass: self.pass })
    }
}

#[cfg(test)]
mod tests {
    use super::same_letters;

    #[test]
    fn letters_fold_as_in_go() {
        assert!(same_letters("Name", "nAME") && same_letters("Größe", "GRÖßE") && same_letters("Task", "taſk"));
        assert!(same_letters("Kelvin", "\u{212a}elvin"));
        assert!(!same_letters("Name", "Nam") && !same_letters("A", "Ä") && !same_letters("ß", "ss"));
    }
}
