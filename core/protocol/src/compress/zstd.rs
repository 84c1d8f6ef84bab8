//! Zstandard. Not a part of Go's rpcx: for peers that registered it under the same number.

use std::io::Write;

use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use super::{CompressError, Compressor, read_within};

/// Zstandard at level 3. Takes several frames one after the other, with windows of up to 8 MiB (RFC 8878's advice).
#[derive(Clone, Copy, Debug, Default)]
pub struct Zstd;

/// Window of the usual levels: 2 MiB.
const WINDOW_LOG_MIN: u32 = 21;
/// 8 MiB: the decoder allocates what a frame declares.
const WINDOW_LOG_MAX: u32 = 23;

impl Compressor for Zstd {
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut encoder = Encoder::new(out, 3)?;
        encoder.write_all(input)?;
        encoder.finish()?;
        Ok(())
    }

    fn decompress(&self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError> {
        if input.is_empty() {
            return Err(CompressError::Corrupt("no bytes at all, not even a zstd header".into()));
        }
        let mut decoder = Decoder::with_buffer(input)?;
        let window = limit.checked_ilog2().unwrap_or(0) + 1;
        decoder.window_log_max(window.clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX))?;
        match read_within(decoder, out, limit) {
            // The frame declares a window, and so a content, beyond the limit: told before anything is decompressed.
            Err(CompressError::Corrupt(text)) if text.contains("too much memory") => {
                Err(CompressError::TooLarge { limit })
            }
            result => result,
        }
    }
}
