//! The hello of the calling side: heartbeats, the first of which asks what the peer understands, and what its answer changes.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use rpcx_protocol::encode::{Head, encode};
use rpcx_protocol::features::{Features, Side};
use rpcx_protocol::header::{Header, SerializeType};
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

use super::caller::Caller;
use crate::error::{Error, Reason, Result};

/// What the peer has said about itself.
pub(super) enum PeerWords {
    /// Its answer to the hello has not come. Meanwhile these calls were given up; it is told of them if it understands that.
    Awaited(Vec<u32>),
    /// What it understands; nothing for a Go server.
    Known(Features),
}

impl PeerWords {
    pub(super) fn new(says_hello: bool) -> PeerWords {
        if says_hello { PeerWords::Awaited(Vec::new()) } else { PeerWords::Known(Features::NONE) }
    }
}

impl Caller {
    /// A heartbeat, for the first write and whenever the peer has been silent.
    pub(super) fn heartbeat(&self, hello: bool) -> Vec<u8> {
        let mut frame = Vec::with_capacity(96);
        let seq = self.calls().pending.skip_seq();
        let header = Header::request(SerializeType::MSGPACK, u64::from(seq)).with_heartbeat(true);
        let words;
        let extra: &[(&str, &str)] = if hello {
            words = Features::ALL.render(Side::Client);
            &[(keys::FEATURES, &words)]
        } else {
            &[]
        };
        let head = Head { header, service: b"", method: b"", metadata: &Metadata::new(), extra };
        // What Go sends: the time as a MessagePack int64.
        let mut payload = [0xd3, 0, 0, 0, 0, 0, 0, 0, 0];
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as i64);
        payload[1..].copy_from_slice(&nanos.to_be_bytes());
        encode(&mut frame, &head, &payload).expect("a heartbeat is small");
        frame
    }

    /// Sends the hello alone and waits until it is answered: the process there runs. An accepted connection does not say
    /// that, since the system accepts for a process that is stopped.
    ///
    /// # Errors
    /// `connect.timeout` after `limit`, or why the connection ended.
    pub(crate) async fn proven(&self, limit: Duration) -> Result<()> {
        self.link.send_waiting();
        if tokio::time::timeout(limit, self.answered.notified()).await.is_err() {
            let remote = &self.link.info.remote;
            return Err(Error::new(
                Reason::ConnectTimeout,
                format!(
                    "{remote} accepted the connection but answered no heartbeat within connect_timeout ({limit:?}); \
                     a server that cannot answer any needs heartbeat_interval=0"
                ),
            ));
        }
        match &self.calls().closed {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// See [`proven`](Self::proven).
    pub(super) fn has_answered(&self) {
        self.answered.notify_one();
    }

    fn peer(&self) -> MutexGuard<'_, PeerWords> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to the hello has come. Not to be called under the lock of the calls.
    pub(super) fn learn_features(&self, features: Features) {
        let given_up = {
            let mut peer = self.peer();
            let PeerWords::Awaited(given_up) = &mut *peer else { return };
            let given_up = std::mem::take(given_up);
            *peer = PeerWords::Known(features);
            given_up
        };
        if features.contains(Features::CANCEL) {
            for seq in given_up {
                self.send_cancel(seq);
            }
        }
    }

    /// Whether the peer can be told now that a call was given up; before it has said so, that is kept for later.
    pub(super) fn cancels_now(&self, seq: u32) -> bool {
        match &mut *self.peer() {
            PeerWords::Awaited(given_up) => {
                // With more of them the connection is drained anyway.
                if given_up.len() <= self.options.max_lingering {
                    given_up.push(seq);
                }
                false
            }
            PeerWords::Known(features) => features.contains(Features::CANCEL),
        }
    }
}
