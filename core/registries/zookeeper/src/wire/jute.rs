//! Jute, the encoding of ZooKeeper's packets: numbers in network order, texts and lists behind their lengths.

use bytes::{BufMut, Bytes, BytesMut};

/// What cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) type Read<T> = std::result::Result<T, Malformed>;

/// Writes one packet.
pub(crate) struct Writer(BytesMut);

impl Writer {
    /// With room for the length, which is known at the end.
    pub(crate) fn new() -> Self {
        let mut bytes = BytesMut::with_capacity(128);
        bytes.put_i32(0);
        Self(bytes)
    }

    pub(crate) fn int(&mut self, value: i32) {
        self.0.put_i32(value);
    }

    pub(crate) fn long(&mut self, value: i64) {
        self.0.put_i64(value);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.put_u8(value.into());
    }

    /// Texts too: these are bytes of UTF-8.
    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.0.put_i32(length(value.len()));
        self.0.put_slice(value);
    }

    /// What another one wrote.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.put_slice(bytes);
    }

    /// What was written, without a length.
    pub(crate) fn body(self) -> Bytes {
        self.0.freeze().slice(4..)
    }

    /// The whole packet, its length in front.
    pub(crate) fn finish(mut self) -> Bytes {
        let size = length(self.0.len() - 4);
        self.0[..4].copy_from_slice(&size.to_be_bytes());
        self.0.freeze()
    }
}

/// Longer ones are refused by every server, from 1 MiB on: it hangs up where the length is wrong.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// Reads one packet.
pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) fn new(packet: Bytes) -> Self {
        Self(packet)
    }

    fn take(&mut self, count: usize) -> Read<Bytes> {
        if self.0.len() < count {
            return Err(Malformed("a packet ends too early"));
        }
        Ok(self.0.split_to(count))
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N)?);
        Ok(array)
    }

    pub(crate) fn int(&mut self) -> Read<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn long(&mut self) -> Read<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn bool(&mut self) -> Read<bool> {
        Ok(self.take(1)?[0] != 0)
    }

    /// A missing one, which has the length -1, is as an empty one.
    pub(crate) fn bytes(&mut self) -> Read<Bytes> {
        match self.int()? {
            -1 => Ok(Bytes::new()),
            size => {
                let size = usize::try_from(size).map_err(|_| Malformed("a length is negative"))?;
                self.take(size)
            }
        }
    }

    pub(crate) fn text(&mut self) -> Read<String> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(crate) fn texts(&mut self) -> Read<Vec<String>> {
        let count = match self.int()? {
            -1 => 0,
            count => usize::try_from(count).map_err(|_| Malformed("a length is negative"))?,
        };
        // Each has a length of four bytes at least, so no room is taken for what is not there.
        if count > self.0.len() / 4 {
            return Err(Malformed("a list ends too early"));
        }
        (0..count).map(|_| self.text()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new();
        writer.int(-7);
        writer.long(i64::MIN);
        writer.bool(true);
        writer.bytes("é".as_bytes());
        writer.int(2);
        writer.bytes(b"a");
        writer.bytes(b"");
        let packet = writer.finish();
        assert_eq!(packet[..4], 32_i32.to_be_bytes());
        let mut reader = Reader::new(packet.slice(4..));
        assert_eq!((reader.int(), reader.long(), reader.bool()), (Ok(-7), Ok(i64::MIN), Ok(true)));
        assert_eq!((reader.text(), reader.texts()), (Ok("é".into()), Ok(vec!["a".into(), String::new()])));
        assert!(reader.0.is_empty());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let reader = |bytes: &[u8]| Reader::new(Bytes::copy_from_slice(bytes));
        assert_eq!(reader(&[0, 0, 0]).int(), Err(Malformed("a packet ends too early")));
        assert_eq!(reader(&[0, 0, 0, 5, b'a']).bytes(), Err(Malformed("a packet ends too early")));
        assert_eq!(reader(&(-2_i32).to_be_bytes()).bytes(), Err(Malformed("a length is negative")));
        assert_eq!(reader(&(-2_i32).to_be_bytes()).texts(), Err(Malformed("a length is negative")));
        assert_eq!(reader(&[0, 0, 0, 1, 0xff]).text(), Err(Malformed("a text is not UTF-8")));
        assert_eq!(reader(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]).texts(), Err(Malformed("a list ends too early")));
        assert_eq!(reader(&(-1_i32).to_be_bytes()).bytes(), Ok(Bytes::new()));
        assert_eq!(reader(&(-1_i32).to_be_bytes()).texts(), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(bytes.into());
            let _ = (reader.texts(), reader.text(), reader.long());
        }
    }
}
