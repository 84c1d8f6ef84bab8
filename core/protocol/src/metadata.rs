//! Metadata: string pairs beside a payload, kept as the bytes that stand on the wire.
//!
//! A block is a sequence of `u32 length, key, u32 length, value`. Keeping it so makes encoding a copy and decoding one
//! pass of checks without an allocation; a lookup walks the pairs, which are few.

use std::collections::HashMap;
use std::fmt;
use std::str;

use bytes::Bytes;

use crate::decoder::DecodeError;
use crate::keys;
use crate::limits::Limits;

/// Above this many pairs a repeated key is found by hashing instead of by looking ahead.
const SCAN_LIMIT: usize = 32;

/// String pairs sent beside a payload: a map whose order means nothing.
///
/// What was received shares the memory of its frame until it is changed; an empty one allocates nothing. Keys that begin
/// with `__` belong to the protocol (see [`keys`]).
///
/// ```
/// # use rpcx_protocol::Metadata;
/// let mut metadata = Metadata::from_iter([("tenant", "blue")]);
/// metadata.insert("tenant", "green");
/// assert_eq!(metadata.get("tenant"), Some("green"));
/// assert_eq!(metadata.len(), 1);
/// ```
#[derive(Clone)]
pub struct Metadata {
    block: Block,
}

/// Both forms hold whole pairs of UTF-8 strings.
#[derive(Clone)]
enum Block {
    /// Of a frame; a key may be there more than once, the last one counts.
    Received(Bytes),
    /// Made here; every key is there once.
    Own(Vec<u8>),
}

static EMPTY: Metadata = Metadata::new();

impl Metadata {
    /// No pairs, no memory.
    pub const fn new() -> Self {
        Self { block: Block::Own(Vec::new()) }
    }

    /// No pairs, to be lent out.
    pub fn empty() -> &'static Self {
        &EMPTY
    }

    /// Takes a block from the wire after one pass of checks; the memory is shared.
    ///
    /// # Errors
    /// A block above the limits, one that ends inside a pair, or a key or value that is not UTF-8.
    pub fn decode(block: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        validate(&block, limits)?;
        Ok(Self::from_valid(block))
    }

    /// Takes a block that [`validate`] has passed.
    pub(crate) fn from_valid(block: Bytes) -> Self {
        if block.is_empty() { Self::new() } else { Self { block: Block::Received(block) } }
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.block().is_empty()
    }

    /// How many different keys there are. Walks all pairs.
    pub fn len(&self) -> usize {
        match &self.block {
            Block::Own(block) => Pairs::new(block).count(),
            Block::Received(_) => self.iter().count(),
        }
    }

    /// The pairs as they stand on the wire.
    pub fn block(&self) -> &[u8] {
        match &self.block {
            Block::Received(block) => block,
            Block::Own(block) => block,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        find(self.block(), key)
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &str) -> bool {
        self.pairs().any(|(found, _)| found == key.as_bytes())
    }

    /// Sets the value of a key, in place of the one it had. Strings of 4 GiB and more can't be encoded later.
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        let block = self.own();
        if let Some(pair) = Pairs::new(block).locate(key.as_bytes()) {
            if pair.len() == 8 + key.len() + value.len() {
                block[pair.end - value.len()..pair.end].copy_from_slice(value.as_bytes());
                return;
            }
            block.drain(pair);
        }
        block.reserve(8 + key.len() + value.len());
        push_pair(block, key, value);
    }

    /// Takes a key out; whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        if !self.contains(key) {
            return false;
        }
        let block = self.own();
        match Pairs::new(block).locate(key.as_bytes()) {
            Some(pair) => {
                block.drain(pair);
                true
            }
            None => false,
        }
    }

    /// Keeps only the pairs for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        let mut block = Vec::new();
        for (key, value) in self.iter().filter(|(key, value)| keep(key, value)) {
            push_pair(&mut block, key, value);
        }
        self.block = Block::Own(block);
    }

    /// Each key once, with its last value, in the order of the wire.
    pub fn iter(&self) -> Iter<'_> {
        let rest = self.pairs();
        let repeats = match &self.block {
            Block::Own(_) => Repeats::None,
            Block::Received(_) if rest.clone().nth(SCAN_LIMIT).is_none() => Repeats::LookAhead,
            Block::Received(_) => Repeats::Last(rest.clone().enumerate().map(|(at, (key, _))| (key, at)).collect()),
        };
        Iter { rest, repeats, at: 0 }
    }

    /// All pairs of the wire, repeated keys too.
    pub(crate) fn pairs(&self) -> Pairs<'_> {
        Pairs::new(self.block())
    }

    /// The block as memory of one's own, with every key once.
    fn own(&mut self) -> &mut Vec<u8> {
        if let Block::Received(received) = &self.block {
            let mut block = Vec::with_capacity(received.len() + 64);
            for (key, value) in self.iter() {
                push_pair(&mut block, key, value);
            }
            self.block = Block::Own(block);
        }
        match &mut self.block {
            Block::Own(block) => block,
            Block::Received(_) => unreachable!("replaced above"),
        }
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extend<(K, V)> for Metadata {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut metadata = Self::new();
        metadata.extend(pairs);
        metadata
    }
}

impl<'a> IntoIterator for &'a Metadata {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// As maps: order and repeated keys do not count.
impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        if self.block() == other.block() {
            return true;
        }
        let sorted = |metadata: &Self| {
            let mut pairs = metadata.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>();
            pairs.sort_unstable();
            pairs
        };
        sorted(self) == sorted(other)
    }
}

impl Eq for Metadata {}

/// The pairs as a map; the token of `__AUTH` is not shown.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(k, v)| (k, if k == keys::AUTH { "***" } else { v }))).finish()
    }
}

/// The pairs of a [`Metadata`], each key once.
#[derive(Clone)]
pub struct Iter<'a> {
    rest: Pairs<'a>,
    repeats: Repeats<'a>,
    at: usize,
}

/// How an iterator finds out that a key comes again.
#[derive(Clone)]
enum Repeats<'a> {
    None,
    LookAhead,
    Last(HashMap<&'a [u8], usize>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        loop {
            let (key, value) = self.rest.next()?;
            let at = self.at;
            self.at += 1;
            let comes_again = match &self.repeats {
                Repeats::None => false,
                Repeats::LookAhead => self.rest.clone().any(|(later, _)| later == key),
                Repeats::Last(last) => last.get(key) != Some(&at),
            };
            if !comes_again {
                return Some((text(key), text(value)));
            }
        }
    }
}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Raw pairs of a block, repeated keys too. Ends at the first thing that is no whole pair.
#[derive(Clone)]
pub(crate) struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    #[inline]
    pub(crate) fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// Where the only pair with this key stands in the block.
    fn locate(mut self, key: &[u8]) -> Option<std::ops::Range<usize>> {
        let size = self.rest.len();
        loop {
            let start = size - self.rest.len();
            let (found, _) = self.next()?;
            if found == key {
                return Some(start..size - self.rest.len());
            }
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (key, rest) = split_string(self.rest)?;
        let (value, rest) = split_string(rest)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// The string that a length word announces, and what follows it.
#[inline]
fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// The last value of a key in a block.
#[inline]
pub(crate) fn find<'a>(block: &'a [u8], key: &str) -> Option<&'a str> {
    let pairs = Pairs::new(block).filter(|(found, _)| *found == key.as_bytes());
    pairs.last().map(|(_, value)| text(value))
}

/// A part of a block that was checked when it was taken.
fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

/// Appends a pair. A string too long for its length word makes the block too long to be encoded, too.
pub(crate) fn push_pair(block: &mut Vec<u8>, key: &str, value: &str) {
    for part in [key, value] {
        block.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        block.extend_from_slice(part.as_bytes());
    }
}

/// Checks a block: whole pairs, UTF-8, within the limits. Allocates nothing.
pub(crate) fn validate(block: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    limits.check_metadata_size(block.len())?;
    let mut rest = block;
    let mut pairs = 0;
    while !rest.is_empty() {
        for part in ["key", "value"] {
            let offset = block.len() - rest.len();
            let (bytes, after) = split_string(rest).ok_or(DecodeError::Metadata { part, offset, size: block.len() })?;
            if str::from_utf8(bytes).is_err() {
                return Err(DecodeError::NotUtf8 { part, offset });
            }
            rest = after;
        }
        pairs += 1;
    }
    limits.check_metadata_pairs(pairs)?;
    Ok(())
}

#[cfg(test)]
mod tests;
