//! Requests that came while as many handlers ran as may: kept for a while, so that what comes behind them is still read.
//!
//! A connection on which nothing is read answers no heartbeat, hears no cancellation and does not notice that its client has
//! left. So reading goes on, within [`MAX_BYTES`].

use std::collections::VecDeque;
use std::time::Instant;

use rpcx_protocol::frame::Frame;

/// Reading ends when the requests of one connection that wait for a handler's end take up this much memory.
const MAX_BYTES: usize = 1 << 20;
/// What a frame takes besides its bytes, about.
const PER_FRAME: usize = 128;
/// Smaller frames get memory of their own, so that they do not keep the buffer they came in.
const COPY_BELOW: usize = 16 << 10;

/// The requests of one connection that wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Held {
    requests: VecDeque<(Frame, Instant)>,
    bytes: usize,
}

impl Held {
    /// No more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// Adds a request that has just come.
    pub(super) fn push(&mut self, frame: Frame, came: Instant) {
        let frame = if frame.wire_len() < COPY_BELOW { frame.detached() } else { frame };
        self.bytes += cost(&frame);
        self.requests.push_back((frame, came));
    }

    /// The request that has waited longest, and when it came.
    pub(super) fn pop(&mut self) -> Option<(Frame, Instant)> {
        let oldest = self.requests.pop_front()?;
        self.bytes -= cost(&oldest.0);
        Some(oldest)
    }

    /// Takes a request out by its sequence number: the newest, foreign peers may use one twice.
    pub(super) fn take(&mut self, seq: u64) -> Option<Frame> {
        let at =
            self.requests.iter().rposition(|(frame, _)| frame.header().seq == seq && !frame.header().is_oneway())?;
        let (frame, _) = self.requests.remove(at)?;
        self.bytes -= cost(&frame);
        Some(frame)
    }
}

fn cost(frame: &Frame) -> usize {
    frame.wire_len() + PER_FRAME
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpcx_protocol::decoder::{Decoded, Decoder};
    use rpcx_protocol::encode::{Head, encode};
    use rpcx_protocol::header::{Header, SerializeType};
    use rpcx_protocol::limits::Limits;

    fn request(seq: u64, payload: &[u8]) -> Frame {
        let mut wire = Vec::new();
        encode(&mut wire, &Head::new(Header::request(SerializeType::RAW, seq), b"S", b"M"), payload).unwrap();
        let mut decoder = Decoder::new(Limits::default());
        decoder.buffer().extend_from_slice(&wire);
        match decoder.next() {
            Ok(Some(Decoded::Frame(frame))) => frame,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_come_back_in_order_and_bytes_are_counted() {
        let (mut held, now) = (Held::default(), Instant::now());
        for seq in 0..4 {
            held.push(request(seq, b"x"), now);
        }
        held.push(request(2, b"again"), now);
        assert_eq!(held.take(2).unwrap().payload(), b"again");
        assert_eq!(held.take(1).unwrap().header().seq, 1);
        assert!(held.take(1).is_none());
        let rest: Vec<u64> = std::iter::from_fn(|| held.pop()).map(|(frame, _)| frame.header().seq).collect();
        assert_eq!(rest, [0, 2, 3]);
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn many_small_requests_and_few_large_ones_fill_it() {
        for payload in [0, 100_000] {
            let (mut held, mut count) = (Held::default(), 0);
            while !held.is_full() {
                held.push(request(count, &vec![0; payload]), Instant::now());
                count += 1;
            }
            assert!((10..10_000).contains(&count), "{count} requests of {payload} bytes");
            held.pop();
            assert!(!held.is_full());
        }
    }
}
