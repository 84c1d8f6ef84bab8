//! The accesses that hand a list, a map or an enum on to a visitor, with Go's rules for everything inside.

use super::de::{Lenient, ListVisitor, MapVisitor};
use crate::codec::fault::Fault;
use crate::codec::pass::Pass;
use crate::codec::zero::Zeros;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use std::fmt;

/// An error of the inner deserializer; if it only carried one of ours, that one.
#[cold]
pub(super) fn fault<E: fmt::Display>(pass: &Pass, error: E) -> Fault {
    pass.carried.take().unwrap_or_else(|| Fault::new(error))
}

/// An error for the inner deserializer, which gives it back unread.
#[cold]
pub(super) fn carry<E: de::Error>(pass: &Pass, fault: Fault) -> E {
    pass.carried.replace(Some(fault));
    E::custom("")
}

/// A seed that reads through [`Lenient`].
pub(super) struct Seed<'p, S> {
    pub(super) seed: S,
    pub(super) pass: &'p Pass,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Lenient { inner, pass: self.pass }).map_err(|fault| carry(self.pass, fault))
    }
}

/// A list that may end with zero values.
pub(super) struct List<'p, A> {
    pub(super) list: A,
    pub(super) pass: &'p Pass,
    pub(super) index: usize,
    /// Elements that a tuple still needs.
    pub(super) wanted: Option<usize>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for List<'_, A> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let index = self.index;
        self.index += 1;
        // The seed is needed again if the list has ended.
        let mut seed = Some(seed);
        let element = self.list.next_element_seed(Lent { seed: &mut seed, pass: self.pass });
        if let Some(element) = element.map_err(|error| fault(self.pass, error).in_element(index))? {
            self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(1));
            return Ok(Some(element));
        }
        match (seed, self.wanted) {
            (Some(seed), Some(left @ 1..)) => {
                self.wanted = Some(left - 1);
                Zeros { pass: self.pass, left }.next_element_seed(seed)
            }
            _ => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.list.size_hint()
    }
}

/// A seed that stays with its owner unless it is used.
struct Lent<'s, 'p, S> {
    seed: &'s mut Option<S>,
    pass: &'p Pass,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Lent<'_, '_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let seed = self.seed.take().ok_or_else(|| de::Error::custom("an element was read twice"))?;
        Seed { seed, pass: self.pass }.deserialize(inner)
    }
}

/// A map that is no struct: keys as they are.
pub(super) struct Map<'p, A> {
    pub(super) map: A,
    pub(super) pass: &'p Pass,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Map<'_, A> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.map.next_key_seed(Seed { seed, pass: self.pass }).map_err(|error| fault(self.pass, error))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        self.map.next_value_seed(Seed { seed, pass: self.pass }).map_err(|error| fault(self.pass, error))
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

/// An enum, and the content of its variant.
pub(super) struct Enum<'p, A> {
    pub(super) inner: A,
    pub(super) pass: &'p Pass,
}

impl<'p, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Enum<'p, A> {
    type Error = Fault;
    type Variant = Enum<'p, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), Fault> {
        let Self { inner, pass } = self;
        let (variant, inner) = inner.variant_seed(Seed { seed, pass }).map_err(|error| fault(pass, error))?;
        Ok((variant, Enum { inner, pass }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Enum<'_, A> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.inner.unit_variant().map_err(|error| fault(self.pass, error))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let Self { inner, pass } = self;
        inner.newtype_variant_seed(Seed { seed, pass }).map_err(|error| fault(pass, error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        let visitor = ListVisitor { visitor, pass, len: Some(len) };
        inner.tuple_variant(len, visitor).map_err(|error| fault(pass, error))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let Self { inner, pass } = self;
        let visitor = MapVisitor { visitor, pass, fields: Some(fields) };
        inner.struct_variant(fields, visitor).map_err(|error| fault(pass, error))
    }
}
