//! Payload compression: one compressor for each compress type, replaceable.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use crate::header::CompressType;

#[cfg(feature = "gzip")]
pub use gzip::Gzip;
#[cfg(feature = "lz4")]
pub use lz4::Lz4;
#[cfg(feature = "snappy")]
pub use snappy::Snappy;
#[cfg(feature = "zstd")]
pub use zstd::Zstd;

/// Payloads are compressed when they have more bytes than this; smaller ones gain nothing.
pub const COMPRESS_THRESHOLD: usize = 1024;

/// A way to compress payloads. Called from several threads at once.
pub trait Compressor: Send + Sync {
    /// Appends the compressed form of `input` to `out`.
    ///
    /// # Errors
    /// The compressor's own; what `out` held before stays.
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError>;

    /// Appends what `input` was before compression, at most `limit` bytes, to `out`. Memory must grow
    /// with what really comes out, beside a window of a fixed size.
    ///
    /// # Errors
    /// Too much for `limit`, or input that is damaged; `out` is then as it was.
    fn decompress(&self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError>;
}

/// A payload that can't be compressed or decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// More would come out than is allowed.
    #[error("limit.max_decompressed_size: the payload decompresses to more than the configured {limit} bytes")]
    TooLarge {
        /// Most bytes that were allowed.
        limit: usize,
    },
    /// The input is not what it should be.
    #[error("compressed payload is damaged: {0}")]
    Corrupt(String),
}

impl From<io::Error> for CompressError {
    fn from(error: io::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// The compressors of a client or server, by compress type.
///
/// ```
/// # use rpcx_protocol::{CompressType, Compressors};
/// # #[cfg(feature = "gzip")] {
/// let compressors = Compressors::default();
/// let gzip = compressors.get(CompressType::GZIP).unwrap();
/// let (mut small, mut back) = (Vec::new(), Vec::new());
/// gzip.compress(&[7; 5000], &mut small).unwrap();
/// gzip.decompress(&small, &mut back, 5000).unwrap();
/// assert_eq!(back, [7; 5000]);
/// # }
/// ```
#[derive(Clone)]
pub struct Compressors {
    by_type: [Option<Arc<dyn Compressor>>; 8],
}

impl Compressors {
    /// No compressors.
    pub fn none() -> Self {
        Self { by_type: Default::default() }
    }

    /// Puts a compressor in place of the one of its type. [`CompressType::NONE`] stays without one.
    pub fn set(&mut self, compress: CompressType, compressor: Arc<dyn Compressor>) {
        if compress != CompressType::NONE {
            self.by_type[usize::from(compress.get())] = Some(compressor);
        }
    }

    /// Takes the compressor of a type away.
    pub fn remove(&mut self, compress: CompressType) {
        self.by_type[usize::from(compress.get())] = None;
    }

    /// The compressor of a type. [`CompressType::NONE`] never has one.
    pub fn get(&self, compress: CompressType) -> Option<&Arc<dyn Compressor>> {
        self.by_type[usize::from(compress.get())].as_ref()
    }
}

/// gzip, snappy, zstd and lz4, as far as the features of the same names are on.
impl Default for Compressors {
    fn default() -> Self {
        #[allow(unused_mut, reason = "without features nothing is set")]
        let mut compressors = Self::none();
        #[cfg(feature = "gzip")]
        compressors.set(CompressType::GZIP, Arc::new(Gzip));
        #[cfg(feature = "snappy")]
        compressors.set(CompressType::SNAPPY, Arc::new(Snappy));
        #[cfg(feature = "zstd")]
        compressors.set(CompressType::ZSTD, Arc::new(Zstd));
        #[cfg(feature = "lz4")]
        compressors.set(CompressType::LZ4, Arc::new(Lz4));
        compressors
    }
}

/// The numbers of the types that have a compressor.
impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.by_type.iter().enumerate().filter(|(_, compressor)| compressor.is_some());
        f.debug_set().entries(set.map(|(number, _)| number)).finish()
    }
}

/// Appends all that `reader` gives, at most `limit` bytes. The buffer at most doubles at a time and never beyond the limit,
/// so that a small input that claims to be large costs little. On an error `out` is as it was.
#[allow(dead_code, reason = "unused without any of the features")]
fn read_within(mut reader: impl Read, out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError> {
    const FIRST_STEP: usize = 4 << 10;
    let start = out.len();
    let mut end = start;
    let mut fill = || loop {
        let have = end - start;
        if have == limit {
            // Only the end may follow.
            return match reader.read(&mut [0])? {
                0 => Ok(()),
                _ => Err(CompressError::TooLarge { limit }),
            };
        }
        if end == out.len() {
            let step = have.max(FIRST_STEP).min(limit - have);
            out.reserve_exact(step);
            out.resize(end + step, 0);
        }
        match reader.read(&mut out[end..]) {
            Ok(0) => return Ok(()),
            Ok(count) => end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    };
    let result = fill();
    out.truncate(if result.is_ok() { end } else { start });
    result
}

#[cfg(test)]
mod tests;
