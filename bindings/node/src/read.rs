//! Reads the records that JavaScript writes: little endian, strings and blocks after their lengths.

/// What is wrong with a record; only a defect of the package's own JavaScript can cause it.
#[derive(Debug)]
pub(crate) struct Malformed;

/// A position in the records.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(records: &'a [u8]) -> Reader<'a> {
        Reader { rest: records }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Malformed> {
        self.array().map(f64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self, length: u32) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(length as usize).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn text(&mut self, length: u32) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Malformed)
    }

    /// Pairs of texts, each with its length before it, up to the end of a block of `length` bytes.
    pub(crate) fn pairs(&mut self, length: u32, mut each: impl FnMut(&'a str, &'a str)) -> Result<(), Malformed> {
        let mut block = Reader::new(self.bytes(length)?);
        while !block.is_empty() {
            let key = block.u32()?;
            let key = block.text(key)?;
            let value = block.u32()?;
            each(key, block.text(value)?);
        }
        Ok(())
    }
}
