//! Writes the records that JavaScript reads: 32-bit words in the machine's own order, then bytes, padded to eight.

/// The records of one batch.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
}

impl Batch {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins anew; the memory of an unusually large batch is given back.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 20);
    }

    /// Writes a record: its length, kind and id, more words, then the lengths of its parts and the parts themselves.
    pub(crate) fn record(&mut self, kind: u32, id: u32, words: &[u32], parts: &[&[u8]]) {
        let start = self.begin(kind, id, words);
        self.parts(parts);
        self.end(start);
    }

    /// Begins a record that other records are part of; [`end`](Self::end) settles its length.
    pub(crate) fn begin(&mut self, kind: u32, id: u32, words: &[u32]) -> usize {
        let start = self.bytes.len();
        for word in [0, kind, id].iter().chain(words) {
            self.bytes.extend_from_slice(&word.to_ne_bytes());
        }
        start
    }

    fn parts(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(&length(part.len()).to_ne_bytes());
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Ends the record that begins at `start`.
    pub(crate) fn end(&mut self, start: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let size = length(self.bytes.len() - start);
        self.bytes[start..start + 4].copy_from_slice(&size.to_ne_bytes());
    }
}

/// Frames, and so all that is in them, are below 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A double as two words.
pub(crate) fn double(value: f64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_ne_bytes();
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}
