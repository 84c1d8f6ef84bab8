//! Structs from maps, as Go reads them: fields that the map lacks are zero, errors name the field.

use super::fault::Fault;
use super::pass::Pass;
use super::zero::Zero;
use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use std::borrow::Cow;

/// The key-value pairs of a payload's map, one after the other.
pub(super) trait Entries<'de> {
    /// The next key, spelled as the struct spells it; `None` at the end.
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault>;

    /// The value of the key that came last.
    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault>;
}

impl<'de, E: Entries<'de>> Entries<'de> for &mut E {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        (**self).next_key()
    }

    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        (**self).value(seed)
    }
}

/// Lets the visitor of a struct visit `entries` and then the zero values of the fields that they lack.
pub(super) fn visit_struct<'de, V, E>(pass: &Pass, entries: E, visitor: V) -> Result<V::Value, Fault>
where
    V: Visitor<'de>,
    E: Entries<'de>,
{
    let fields = StructAccess { pass, entries, lacking: pass.fill::<V>(), current: Current::None };
    pass.filling.set(None);
    pass.settle::<V, _>(visitor.visit_map(fields))
}

struct StructAccess<'p, 'de, E> {
    pass: &'p Pass,
    entries: E,
    /// Fields to fill that did not come so far.
    lacking: Vec<&'static str>,
    current: Current<'de>,
}

enum Current<'de> {
    None,
    Entry(Cow<'de, str>),
    Zero,
}

impl<'de, E: Entries<'de>> MapAccess<'de> for StructAccess<'_, 'de, E> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if let Some(key) = self.entries.next_key()? {
            if !self.lacking.is_empty() {
                self.lacking.retain(|field| *field != key);
            }
            let value = match &key {
                Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
                Cow::Owned(key) => seed.deserialize(CowStrDeserializer::new(Cow::Borrowed(key))),
            };
            self.current = Current::Entry(key);
            return value.map(Some);
        }
        let Some(field) = self.lacking.pop() else { return Ok(None) };
        self.current = Current::Zero;
        self.pass.filling.set(Some(field));
        seed.deserialize(BorrowedStrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        match std::mem::replace(&mut self.current, Current::None) {
            Current::Entry(key) => self.entries.value(seed).map_err(|fault| fault.in_field(&key)),
            Current::Zero => {
                self.pass.filling.set(None);
                seed.deserialize(Zero(self.pass))
            }
            Current::None => Err(Fault::new("a value was asked for before its key")),
        }
    }
}
