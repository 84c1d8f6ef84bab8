//! Snappy in its framed stream format, as Go's rpcx ships it.

use std::io::Write;

use snap::read::FrameDecoder;
use snap::write::FrameEncoder;

use super::{CompressError, Compressor, read_within};

/// Framed Snappy. An empty payload stays empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snappy;

impl Compressor for Snappy {
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut encoder = FrameEncoder::new(out);
        encoder.write_all(input)?;
        encoder.flush()?;
        Ok(())
    }

    fn decompress(&self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError> {
        read_within(FrameDecoder::new(input), out, limit)
    }
}
