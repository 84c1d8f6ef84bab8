//! The records that cross the boundary: little-endian numbers, text after its length. Java's half is `internal.Records`.

use rpcx_embed::{Bytes, Delivery, Error, Metadata, Reason, Result};

/// Commands, by their numbers.
pub(crate) mod command {
    pub(crate) const CALL: u8 = 1;
    pub(crate) const CANCEL: u8 = 2;
    pub(crate) const ANSWER: u8 = 3;
    pub(crate) const ADMIT: u8 = 4;
    pub(crate) const TAKEN: u8 = 5;
}

/// Events, by their numbers.
pub(crate) mod event {
    pub(crate) const REPLY: u8 = 1;
    pub(crate) const DONE: u8 = 2;
    pub(crate) const INFORM: u8 = 3;
    pub(crate) const REQUEST: u8 = 4;
    pub(crate) const CANCELLED: u8 = 5;
    pub(crate) const AUTH: u8 = 6;
    pub(crate) const PUSH: u8 = 7;
    pub(crate) const PUSHES_END: u8 = 8;
    pub(crate) const LOG: u8 = 9;

    pub(crate) const FAILED: u8 = 1;
    pub(crate) const LARGE: u8 = 2;
    /// Size, type, flags, index of the large body, id.
    pub(crate) const HEAD: usize = 16;
}

/// The length of a text that is not there.
const NO_TEXT: u32 = u32::MAX;

fn broken() -> Error {
    Error::new(Reason::InternalBug, "a record from Java is cut short")
}

/// Reads a record. Java's half is trusted to mean well, not to be free of mistakes: nothing is read beyond the end.
pub(crate) struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Reader {
        Reader { bytes, at: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn take(&mut self, length: usize) -> Result<&[u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(broken)?;
        let from = std::mem::replace(&mut self.at, end);
        Ok(&self.bytes[from..end])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| broken())
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A number of things, or of bytes.
    pub(crate) fn count(&mut self) -> Result<usize> {
        Ok(self.u32()? as usize)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// Passes over bytes.
    pub(crate) fn skip(&mut self, length: usize) -> Result<()> {
        self.take(length).map(drop)
    }

    /// The next bytes as a record of their own.
    pub(crate) fn part(&mut self, length: usize) -> Result<Reader> {
        let from = self.at;
        self.take(length)?;
        Ok(Reader::new(self.bytes.slice(from..self.at)))
    }

    /// What is left.
    pub(crate) fn rest(self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    pub(crate) fn text(&mut self) -> Result<&str> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| broken())
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        let length = self.u32()?;
        if length == NO_TEXT {
            return Ok(None);
        }
        std::str::from_utf8(self.take(length as usize)?).map(|text| Some(text.to_owned())).map_err(|_| broken())
    }

    pub(crate) fn texts(&mut self) -> Result<Vec<String>> {
        (0..self.u32()?).map(|_| Ok(self.text()?.to_owned())).collect()
    }

    /// Pairs of texts after their number.
    pub(crate) fn pairs(&mut self) -> Result<Vec<(String, String)>> {
        (0..self.u32()?)
            .map(|_| {
                let key = self.text()?.to_owned();
                Ok((key, self.text()?.to_owned()))
            })
            .collect()
    }

    pub(crate) fn metadata(&mut self) -> Result<Metadata> {
        let mut metadata = Metadata::new();
        for (key, value) in self.pairs()? {
            metadata.insert(key, value);
        }
        Ok(metadata)
    }
}

/// Appends to the body of an event.
pub(crate) trait Write {
    fn u32(&mut self, number: u32);
    fn i64(&mut self, number: i64);
    fn text(&mut self, text: &str);
    fn optional_text(&mut self, text: Option<&str>);
    fn metadata(&mut self, metadata: &Metadata);
    fn error(&mut self, error: &Error);
}

impl Write for Vec<u8> {
    fn u32(&mut self, number: u32) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.extend_from_slice(text.as_bytes());
    }

    fn optional_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.u32(NO_TEXT),
        }
    }

    fn metadata(&mut self, metadata: &Metadata) {
        self.u32(metadata.len() as u32);
        for (key, value) in metadata.iter() {
            self.text(key);
            self.text(value);
        }
    }

    fn error(&mut self, error: &Error) {
        self.u32(error.attempts());
        self.push(delivery(error.delivery()));
        self.text(error.reason().as_str());
        self.optional_text(error.server());
        self.text(error.message());
    }
}

/// The number of a delivery state in Java's `Delivery`.
pub(crate) fn delivery(delivery: Delivery) -> u8 {
    match delivery {
        Delivery::NotSent => 0,
        Delivery::MaybeRun => 1,
        Delivery::Answered => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        out.u32(7);
        out.i64(-1);
        out.text("é");
        out.optional_text(None);
        let mut metadata = Metadata::new();
        metadata.insert("k", "v");
        out.metadata(&metadata);
        let mut reader = Reader::new(out.into());
        assert_eq!((reader.u32().unwrap(), reader.i64().unwrap()), (7, -1));
        assert_eq!(reader.text().unwrap(), "é");
        assert_eq!(reader.optional_text().unwrap(), None);
        assert_eq!(reader.pairs().unwrap(), [("k".to_owned(), "v".to_owned())]);
        assert!(reader.is_done());
    }

    #[test]
    fn a_short_record_is_refused() {
        let mut out = Vec::new();
        out.u32(1000);
        out.extend_from_slice(b"abc");
        assert_eq!(Reader::new(out.clone().into()).text().unwrap_err().reason(), Reason::InternalBug);
        assert!(Reader::new(out.clone().into()).part(8).is_err());
        assert!(Reader::new(out.into()).pairs().is_err());
    }
}
