//! The options of one call, and what they come to with those of its client.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rpcx_protocol::header::{CompressType, SerializeType};
use rpcx_protocol::metadata::Metadata;

use super::core::ClientCore;
use crate::config::{CallValues, FailMode};
use crate::error::Result;
use crate::interceptor::Parent;

/// Options of a single call. What is left out takes the client's value.
///
/// ```
/// use std::time::Duration;
/// use rpcx::client::CallOptions;
///
/// let options = CallOptions::new()
///     .timeout(Duration::from_millis(200))
///     .metadata("user", "ada")
///     .idempotent(true);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    pub(super) values: CallValues,
    pub(super) metadata: Metadata,
    pub(super) parent: Option<Parent>,
}

impl CallOptions {
    /// The client's values for everything.
    pub fn new() -> CallOptions {
        CallOptions::default()
    }

    /// Sets an option by its name in CONFIGURATION.md.
    ///
    /// # Errors
    /// `config`, naming the option and what it allows.
    pub fn set(mut self, name: &str, value: &str) -> Result<CallOptions> {
        self.values.set(name, value)?;
        Ok(self)
    }

    /// The time for the whole call, retries included. Zero: no deadline of its own.
    pub fn timeout(mut self, timeout: Duration) -> CallOptions {
        self.values.timeout = Some(timeout);
        self
    }

    /// Adds a pair of metadata.
    pub fn metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> CallOptions {
        self.metadata.insert(key, value);
        self
    }

    /// Sets all metadata at once.
    pub fn all_metadata(mut self, metadata: Metadata) -> CallOptions {
        self.metadata = metadata;
        self
    }

    /// The call is made for another one: it inherits that one's deadline and trace keys. In a handler: `.parent(&ctx)`.
    pub fn parent(mut self, parent: impl Into<Parent>) -> CallOptions {
        self.parent = Some(parent.into());
        self
    }

    /// Running the handler twice does no harm, so a call may be sent again although it may have run.
    pub fn idempotent(mut self, idempotent: bool) -> CallOptions {
        self.values.idempotent = Some(idempotent);
        self
    }

    /// How arguments and reply are encoded; one of the formats of the service's codecs.
    pub fn serialize_type(mut self, serialize: SerializeType) -> CallOptions {
        self.values.serialize_type = Some(serialize);
        self
    }

    /// How payloads above 1,024 bytes are compressed, here and in the answer.
    pub fn compress_type(mut self, compress: CompressType) -> CallOptions {
        self.values.compress_type = Some(compress);
        self
    }

    /// What to do when an attempt fails.
    pub fn fail_mode(mut self, mode: FailMode) -> CallOptions {
        self.values.fail_mode = Some(mode);
        self
    }

    /// Attempts after the first.
    pub fn retries(mut self, retries: u32) -> CallOptions {
        self.values.retries = Some(retries);
        self
    }

    /// What consistent hashing goes by instead of the payload.
    pub fn hash_key(mut self, key: impl Into<String>) -> CallOptions {
        self.values.hash_key = Some(key.into());
        self
    }

    /// The address of the server to call, one of the service's.
    pub fn target(mut self, address: impl Into<String>) -> CallOptions {
        self.values.target = Some(address.into());
        self
    }
}

/// Everything a call goes by.
pub(super) struct Resolved<'a> {
    pub(super) now: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) serialize_type: SerializeType,
    pub(super) compress_type: CompressType,
    pub(super) fail_mode: FailMode,
    pub(super) retries: u32,
    pub(super) retry_interval: Duration,
    pub(super) backup_latency: Duration,
    pub(super) idempotent: bool,
    pub(super) retry_maybe_run: bool,
    pub(super) hash_key: Option<&'a [u8]>,
    pub(super) target: Option<&'a str>,
    pub(super) metadata: &'a Metadata,
    pub(super) auth: Option<&'a str>,
    pub(super) oneway: bool,
    /// The server of the first attempt, once it is chosen.
    pub(super) first: OnceLock<Arc<str>>,
}

impl CallOptions {
    /// Metadata with what the parent hands on; `None` when that is nothing.
    pub(super) fn inherited(&self, client: &ClientCore) -> Option<Metadata> {
        let parent = self.parent.as_ref()?;
        let mut metadata = self.metadata.clone();
        parent.hand_on(&client.options.propagate_metadata, &mut metadata);
        Some(metadata)
    }

    /// Fills in the client's values. `default_codec` is used where neither call nor client name a format that `supports`.
    pub(super) fn resolve<'a>(
        &'a self,
        client: &'a ClientCore,
        metadata: &'a Metadata,
        default_codec: SerializeType,
        supports: fn(SerializeType) -> bool,
    ) -> Resolved<'a> {
        let options = &client.options;
        let values = &self.values;
        let now = Instant::now();
        let timeout = values.timeout.unwrap_or(options.timeout);
        let own = (timeout > Duration::ZERO).then(|| now.checked_add(timeout)).flatten();
        let deadline = match self.parent.as_ref().and_then(Parent::deadline) {
            None => own,
            // A parent's deadline bounds the call; the client's default does not shorten it further than asked.
            Some(parent) => Some(own.map_or(parent, |own| own.min(parent))),
        };
        let serialize_type = values.serialize_type.unwrap_or_else(|| {
            let wanted = options.serialize_type;
            if supports(wanted) { wanted } else { default_codec }
        });
        Resolved {
            now,
            deadline,
            serialize_type,
            compress_type: values.compress_type.unwrap_or(options.compress_type),
            fail_mode: values.fail_mode.unwrap_or(options.fail_mode),
            retries: values.retries.unwrap_or(options.retries),
            retry_interval: values.retry_interval.unwrap_or(options.retry_interval),
            backup_latency: values.backup_latency.unwrap_or(options.backup_latency),
            idempotent: values.idempotent.unwrap_or(options.idempotent),
            retry_maybe_run: options.retry_maybe_run,
            hash_key: values.hash_key.as_deref().map(str::as_bytes),
            target: values.target.as_deref(),
            metadata,
            auth: (!options.auth.is_empty()).then_some(&*options.auth),
            oneway: false,
            first: OnceLock::new(),
        }
    }
}
