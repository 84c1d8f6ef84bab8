//! gzip (RFC 1952), the one compression that Go's rpcx has built in.

use std::io::Write;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{CompressError, Compressor, read_within};

/// gzip at its default level. Takes several members one after the other, and nothing behind them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gzip;

impl Compressor for Gzip {
    fn compress(&self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut encoder = GzEncoder::new(out, Compression::default());
        encoder.write_all(input)?;
        encoder.finish()?;
        Ok(())
    }

    fn decompress(&self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CompressError> {
        if input.is_empty() {
            return Err(CompressError::Corrupt("no bytes at all, not even a gzip header".into()));
        }
        read_within(MultiGzDecoder::new(input), out, limit)
    }
}
