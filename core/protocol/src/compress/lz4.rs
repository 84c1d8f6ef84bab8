//! LZ4 in its frame format. Not a part of Go's rpcx: for peers that registered it under the same number.

use std::io::{self, Read, Write};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::{CompressError, Compressor, read_within};

/// LZ4 in one frame; nothing may follow it. Decoding takes up to 12 MiB beside its output for the time of the call: the
/// format has blocks of up to 4 MiB.
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
        let start = out.len();
        let mut input = Input { rest: input, ran_dry: false };
        read_within(FrameDecoder::new(&mut input), out, limit)?;
        let flaw = if input.ran_dry {
            "the lz4 frame has no end".to_owned()
        } else if !input.rest.is_empty() {
            format!("{} bytes behind the lz4 frame", input.rest.len())
        } else {
            return Ok(());
        };
        out.truncate(start);
        Err(CompressError::Corrupt(flaw))
    }
}

/// Knows whether the decoder looked for more than there is: it takes a frame that is cut between blocks for complete.
struct Input<'a> {
    rest: &'a [u8],
    ran_dry: bool,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ran_dry |= buffer.len() > self.rest.len();
        self.rest.read(buffer)
    }
}
