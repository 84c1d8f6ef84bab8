//! How large what a peer sends, and what is sent to it, may be.

use crate::metadata::Metadata;

/// Limits of one connection, or of one side of it. They are arguments everywhere, never globals, so that two users in a
/// process can disagree. The limit of decompressed payloads is an argument of
/// [`Compressor::decompress`](crate::Compressor::decompress).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a frame after its 16-byte header. Default 64 MiB.
    pub max_message_size: usize,
    /// Most bytes of a frame's metadata block. Default 64 KiB.
    pub max_metadata_size: usize,
    /// Most pairs in a frame's metadata, repeated keys included. Default 128.
    pub max_metadata_pairs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message_size: 64 << 20, max_metadata_size: 64 << 10, max_metadata_pairs: 128 }
    }
}

impl Limits {
    /// Name of the limit on a frame, as in errors and counters.
    pub const MESSAGE_SIZE: &'static str = "limit.max_message_size";
    /// Name of the limit on the metadata block.
    pub const METADATA_SIZE: &'static str = "limit.max_metadata_size";
    /// Name of the limit on the number of pairs.
    pub const METADATA_PAIRS: &'static str = "limit.max_metadata_pairs";

    /// Checks the total length of a frame, the bytes after its header.
    ///
    /// # Errors
    /// The limit that it breaks.
    #[inline]
    pub fn check_message(&self, total: u64) -> Result<(), LimitExceeded> {
        check(Self::MESSAGE_SIZE, total, self.max_message_size)
    }

    /// Checks metadata that is about to be sent.
    ///
    /// # Errors
    /// The limit that it breaks.
    pub fn check_metadata(&self, metadata: &Metadata) -> Result<(), LimitExceeded> {
        self.check_metadata_size(metadata.block().len())?;
        self.check_metadata_pairs(metadata.pairs().count())
    }

    #[inline]
    pub(crate) fn check_metadata_size(&self, size: usize) -> Result<(), LimitExceeded> {
        check(Self::METADATA_SIZE, size as u64, self.max_metadata_size)
    }

    #[inline]
    pub(crate) fn check_metadata_pairs(&self, pairs: usize) -> Result<(), LimitExceeded> {
        check(Self::METADATA_PAIRS, pairs as u64, self.max_metadata_pairs)
    }
}

#[inline]
fn check(limit: &'static str, size: u64, max: usize) -> Result<(), LimitExceeded> {
    let max = max as u64;
    if size > max { Err(LimitExceeded { limit, size, max }) } else { Ok(()) }
}

/// Something is larger than a limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit}: {size} is more than the configured {max}")]
pub struct LimitExceeded {
    /// Name of the limit, such as [`Limits::MESSAGE_SIZE`].
    pub limit: &'static str,
    /// What was there: bytes, or pairs.
    pub size: u64,
    /// What is allowed, in the same unit.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_the_largest_value_that_passes() {
        let limits = Limits { max_message_size: 10, max_metadata_size: 20, max_metadata_pairs: 1 };
        assert_eq!(limits.check_message(10), Ok(()));
        let error = limits.check_message(11).unwrap_err();
        assert_eq!(error.to_string(), "limit.max_message_size: 11 is more than the configured 10");
        let mut metadata = Metadata::new();
        metadata.insert("k", "v");
        assert_eq!(limits.check_metadata(&metadata), Ok(()));
        metadata.insert("l", "");
        assert_eq!(limits.check_metadata(&metadata).unwrap_err().limit, Limits::METADATA_PAIRS);
        metadata.insert("k", "longer");
        assert_eq!(limits.check_metadata(&metadata).unwrap_err().limit, Limits::METADATA_SIZE);
    }
}
