//! Keys and values of a struct's map: in the order of the payload, or looked up first.

use super::de::Deserializer;
use super::reader::{Item, Reader};
use crate::codec::fault::Fault;
use crate::codec::pass::Pass;
use crate::codec::structure::Entries;
use serde::de::DeserializeSeed;
use std::borrow::Cow;

/// A struct's key: text or bytes. Anything else would be no field name to Go either.
fn key<'de>(reader: &mut Reader<'de>) -> Result<Cow<'de, str>, Fault> {
    let start = reader.position();
    match reader.item()? {
        // What is no UTF-8 is no field's name, and skipped.
        Item::Str(name) | Item::Bin(name) => Ok(String::from_utf8_lossy(name)),
        Item::Nil => Ok(Cow::Borrowed("")),
        other => Err(Fault::new(format_args!("expected a field name, found {other}")).at(start)),
    }
}

/// Entries as they come.
pub(super) struct Streamed<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) pass: &'r Pass,
    pub(super) left: usize,
}

impl<'de> Entries<'de> for Streamed<'_, 'de> {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        key(self.reader).map(Some)
    }

    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let start = self.reader.position();
        seed.deserialize(Deserializer { reader: self.reader, pass: self.pass }).map_err(|fault| fault.at(start))
    }
}

/// Entries of which only the last with each field's name is left.
pub(super) struct Indexed<'r, 'de> {
    reader: &'r mut Reader<'de>,
    pass: &'r Pass,
    entries: std::vec::IntoIter<(Cow<'de, str>, usize)>,
    value: usize,
    end: usize,
}

impl<'r, 'de> Indexed<'r, 'de> {
    pub(super) fn new(
        reader: &'r mut Reader<'de>,
        pass: &'r Pass,
        len: usize,
        fields: &'static [&'static str],
    ) -> Result<Self, Fault> {
        let mut entries: Vec<(Cow<'de, str>, usize)> = Vec::new();
        let mut found: Vec<Option<usize>> = vec![None; fields.len()];
        for _ in 0..len {
            let key = key(reader)?;
            let value = reader.position();
            reader.skip()?;
            match fields.iter().position(|field| *field == key) {
                Some(field) => match found[field] {
                    Some(earlier) => entries[earlier].1 = value,
                    None => {
                        found[field] = Some(entries.len());
                        entries.push((key, value));
                    }
                },
                None => entries.push((key, value)),
            }
        }
        let end = reader.position();
        Ok(Self { reader, pass, entries: entries.into_iter(), value: end, end })
    }
}

impl<'de> Entries<'de> for Indexed<'_, 'de> {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        let Some((key, value)) = self.entries.next() else {
            self.reader.seek(self.end);
            return Ok(None);
        };
        self.value = value;
        Ok(Some(key))
    }

    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        self.reader.seek(self.value);
        seed.deserialize(Deserializer { reader: self.reader, pass: self.pass }).map_err(|fault| fault.at(self.value))
    }
}
