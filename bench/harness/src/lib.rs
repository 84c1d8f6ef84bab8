//! What the Rust benchmark programs share, ours and the peers we are measured against: the workload message, the
//! command line, the closed loop of callers, the latency recorder, and the report of one JSON line.
//!
//! A program of a peer is a `main` that parses [`Opts`] and serves, or calls [`run_client`] with a [`Caller`]:
//!
//! ```no_run
//! use bench_harness::{BenchmarkMessage, Caller, Opts, is_ok, request, run_client};
//!
//! #[derive(Clone)]
//! struct Direct(BenchmarkMessage);
//!
//! impl Caller for Direct {
//!     async fn call(&mut self) -> Result<(), String> {
//!         let mut reply = self.0.clone(); // a real peer sends, awaits and decodes here
//!         bench_harness::answer(&mut reply);
//!         if is_ok(&reply) { Ok(()) } else { Err("bad reply".into()) }
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let opts = Opts::client("direct");
//!     run_client(&opts, |_| async { Ok(Direct(request())) })
//! }
//! ```

mod closed_loop;
mod message;
mod opts;
mod process;
pub mod recorder;
mod report;

pub use closed_loop::{Caller, caller_loop, run_client, runtime};
pub use message::BenchmarkMessage;
pub use opts::{Mode, Opts};
pub use report::finish;

/// Size of the request in protobuf, in bytes.
pub const REQUEST_LEN: usize = 581;

/// Size of the reply in protobuf, in bytes.
pub const REPLY_LEN: usize = 527;

const TEXT: &str = "许多往事在眼前一幕一幕，变的那麼模糊";

/// The request: every string, bool and integer field is set, [`REQUEST_LEN`] bytes in protobuf.
#[must_use]
pub fn request() -> BenchmarkMessage {
    let s = || Some(TEXT.to_string());
    let (i, b) = (Some(100_000), Some(true));
    BenchmarkMessage {
        field1: TEXT.to_string(),
        field9: s(),
        field18: s(),
        field80: b,
        field81: b,
        field2: 100_000,
        field3: 100_000,
        field280: i,
        field6: i,
        field22: Some(100_000),
        field4: s(),
        field5: Vec::new(),
        field59: b,
        field7: s(),
        field16: i,
        field130: i,
        field12: b,
        field17: b,
        field13: b,
        field14: b,
        field104: i,
        field100: i,
        field101: i,
        field102: s(),
        field103: s(),
        field29: i,
        field30: b,
        field60: i,
        field271: i,
        field272: i,
        field150: i,
        field23: i,
        field24: b,
        field25: i,
        field78: b,
        field67: i,
        field68: i,
        field128: i,
        field129: s(),
        field131: i,
    }
}

/// What the server does with a decoded request before it sends it back.
#[inline]
pub fn answer(message: &mut BenchmarkMessage) {
    message.field1.clear();
    message.field1.push_str("OK");
    message.field2 = 100;
}

/// What the client checks on every decoded reply.
#[inline]
#[must_use]
pub fn is_ok(reply: &BenchmarkMessage) -> bool {
    reply.field1 == "OK" && reply.field2 == 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn the_message_has_the_size_of_the_rpcx_benchmark() {
        let mut m = request();
        assert_eq!(m.encoded_len(), REQUEST_LEN);
        assert!(!is_ok(&m));
        answer(&mut m);
        assert!(is_ok(&m));
        assert_eq!(m.encoded_len(), REPLY_LEN);
        assert_eq!(BenchmarkMessage::decode(m.encode_to_vec().as_slice()).unwrap(), m);
    }
}
