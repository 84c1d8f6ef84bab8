//! The rpcx wire protocol, without I/O.
//!
//! Bytes and times go in, frames and decisions come out: nothing in this crate opens a socket, starts a task, reads a
//! clock or uses unsafe code. Drivers of any kind (async, blocking, tests) put it to work.
//!
//! * [`Decoder`] turns received bytes into [`Frame`]s within [`Limits`]; [`encode`](fn@encode) turns a [`Head`] and a payload into
//!   bytes. [`Metadata`] stays in its wire form on both ways.
//! * [`Pending`] is the table of calls that wait for an answer, [`Wheel`] their deadlines, [`Heartbeat`] the peer's
//!   silence, [`Features`] what two peers of this library tell each other.
//! * [`Compressors`] holds the payload compressors by number.

pub mod compress;
pub mod decoder;
pub mod encode;
pub mod error_text;
pub mod features;
pub mod frame;
pub mod header;
pub mod heartbeat;
pub mod keys;
pub mod limits;
pub mod metadata;
pub mod pending;
pub mod wheel;

pub use compress::{COMPRESS_THRESHOLD, CompressError, Compressor, Compressors};
pub use decoder::{DecodeError, Decoded, Decoder, Refused};
pub use encode::{
    EncodeError, Encoded, Head, complete, echo_heartbeat, encode, encode_head, encode_with, mark_response,
    replace_payload, replace_value, set_seq,
};
pub use features::{Features, Side};
pub use frame::{Frame, PeerError};
pub use header::{CompressType, HEADER_LEN, Header, MAGIC, MIN_FRAME_LEN, ParseTypeError, SerializeType, Status};
pub use heartbeat::{Action, Heartbeat, HeartbeatConfig, Reason};
pub use limits::{LimitExceeded, Limits};
pub use metadata::Metadata;
pub use pending::{GaveUp, Pending};
pub use wheel::{Handle, Wheel};
