//! LZ4 in its frame format. Not a part of Go's rpcx: for peers that registered it under the same number.

use std::io::Write;

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::{CompressError, Compressor, read_within};

/// LZ4 in one frame; nothing may follow it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lz4;

impl Compressor for Lz4 {
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut encoder = FrameEncoder::new(out);
        encoder.write_all(input)?;
        encoder.finish().map_err(|error| CompressError::Corrupt(error.to_string()))?;
        Ok(())
    }

    fn decompress(&self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError> {
        if input.is_empty() {
            return Err(CompressError::Corrupt("no bytes at all, not even an lz4 header".into()));
        }
        let start = out.len();
        let mut decoder = FrameDecoder::new(input);
        read_within(&mut decoder, out, limit)?;
        let rest = decoder.get_ref().len();
        if rest > 0 {
            out.truncate(start);
            return Err(CompressError::Corrupt(format!("{rest} bytes behind the lz4 frame")));
        }
        Ok(())
    }
}
