//! The options of one call, and what they come to with those of its client.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use rpcx_protocol::header::{CompressType, SerializeType};
use rpcx_protocol::metadata::Metadata;

use super::core::ClientCore;
use crate::config::{CallOptions as CallValues, ClientOptions, FailMode, Secret};
use crate::error::Result;
use crate::interceptor::{Call, Parent};

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
    parent: Lineage,
}

/// The call that a call is made for.
#[derive(Clone, Debug, Default)]
enum Lineage {
    /// That of the handler in which it is made, if it is made in one.
    #[default]
    Current,
    Given(Parent),
    None,
}

/// What a call without options goes by.
pub(super) static NO_OPTIONS: LazyLock<CallOptions> = LazyLock::new(CallOptions::default);

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

    /// The call is made for another one: it inherits that one's deadline, and of its metadata the keys that
    /// `propagate_metadata` names.
    ///
    /// A call that is first polled inside a handler is made for the handler's own call, without being told so. To be told
    /// are tasks that a handler spawns: `.parent(&ctx)`.
    pub fn parent(mut self, parent: impl Into<Parent>) -> CallOptions {
        self.parent = Lineage::Given(parent.into());
        self
    }

    /// The call inherits nothing, though it is made in a handler: for work that goes on after the handler's own call.
    pub fn without_parent(mut self) -> CallOptions {
        self.parent = Lineage::None;
        self
    }

    /// The call that this one is made for.
    pub(super) fn lineage(&self) -> Option<Cow<'_, Parent>> {
        match &self.parent {
            Lineage::Current => Parent::current().map(Cow::Owned),
            Lineage::Given(parent) => Some(Cow::Borrowed(parent)),
            Lineage::None => None,
        }
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
    pub fn hash_key(mut self, key: impl Into<bytes::Bytes>) -> CallOptions {
        self.values.hash_key = Some(key.into());
        self
    }

    /// The address of the server to call, one of the service's.
    pub fn target(mut self, address: impl Into<String>) -> CallOptions {
        self.values.target = Some(address.into());
        self
    }

    /// What the call takes over from the one it is made for, if it is made for one.
    pub(super) fn inherited(&self, client: &ClientCore) -> Option<Inherited> {
        let parent = self.lineage()?;
        let mut metadata = self.metadata.clone();
        parent.hand_on(&client.options.propagate_metadata, &mut metadata);
        Some(Inherited { metadata, deadline: parent.deadline() })
    }

    /// The format of arguments: the call's, else the client's if `supports` it, else `fallback`.
    pub(super) fn format(
        &self,
        client: &ClientCore,
        fallback: SerializeType,
        supports: fn(SerializeType) -> bool,
    ) -> SerializeType {
        self.values.serialize_type.unwrap_or_else(|| {
            let wanted = client.options.serialize_type;
            if supports(wanted) { wanted } else { fallback }
        })
    }
}

/// What a nested call has of its own and of its parent's.
#[derive(Clone)]
pub(super) struct Inherited {
    metadata: Metadata,
    deadline: Option<Instant>,
}

/// What a call goes by: its own options over those of its client, read when they are needed.
pub(super) struct Plan<'a> {
    client: &'a ClientOptions,
    values: &'a CallValues,
    pub(super) metadata: &'a Metadata,
    pub(super) now: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) serialize_type: SerializeType,
    pub(super) oneway: bool,
    /// Nothing in the request's head is this call's own.
    pub(super) is_plain: bool,
    /// The server of the first attempt, once it is chosen; for the backup request.
    pub(super) first: OnceLock<Arc<str>>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        client: &'a ClientCore,
        options: &'a CallOptions,
        inherited: Option<&'a Inherited>,
        serialize_type: SerializeType,
        oneway: bool,
    ) -> Plan<'a> {
        let now = Instant::now();
        let timeout = options.values.timeout.unwrap_or(client.options.timeout);
        let own = (timeout > Duration::ZERO).then(|| now.checked_add(timeout)).flatten();
        let metadata = inherited.map_or(&options.metadata, |inherited| &inherited.metadata);
        let deadline = match inherited.and_then(|inherited| inherited.deadline) {
            None => own,
            Some(parent) => Some(own.map_or(parent, |own| own.min(parent))),
        };
        Plan {
            client: &client.options,
            values: &options.values,
            metadata,
            now,
            deadline,
            serialize_type,
            oneway,
            is_plain: metadata.is_empty() && !oneway && options.values.timeout.is_none() && inherited.is_none(),
            first: OnceLock::new(),
        }
    }

    /// The same with what an interceptor made of the request.
    pub(super) fn with_call<'b>(&'b self, call: &'b Call) -> Plan<'b> {
        Plan {
            metadata: &call.metadata,
            deadline: call.deadline,
            serialize_type: call.serialize_type,
            oneway: call.oneway,
            is_plain: false,
            first: OnceLock::new(),
            ..*self
        }
    }

    pub(super) fn compress_type(&self) -> CompressType {
        self.values.compress_type.unwrap_or(self.client.compress_type)
    }

    pub(super) fn fail_mode(&self) -> FailMode {
        self.values.fail_mode.unwrap_or(self.client.fail_mode)
    }

    /// A second server may be asked beside the first.
    pub(super) fn sends_backup(&self) -> bool {
        self.fail_mode() == FailMode::Failbackup && self.idempotent()
    }

    pub(super) fn retries(&self) -> u32 {
        self.values.retries.unwrap_or(self.client.retries)
    }

    pub(super) fn retry_interval(&self) -> Duration {
        self.values.retry_interval.unwrap_or(self.client.retry_interval)
    }

    pub(super) fn backup_latency(&self) -> Duration {
        self.values.backup_latency.unwrap_or(self.client.backup_latency)
    }

    pub(super) fn idempotent(&self) -> bool {
        self.values.idempotent.unwrap_or(self.client.idempotent)
    }

    /// Calls that may have run are sent again.
    pub(super) fn retries_maybe_run(&self) -> bool {
        self.values.retry_maybe_run.unwrap_or(self.client.retry_maybe_run) || self.idempotent()
    }

    pub(super) fn hash_key(&self) -> Option<&'a [u8]> {
        self.values.hash_key.as_deref()
    }

    pub(super) fn target(&self) -> Option<&'a str> {
        self.values.target.as_deref()
    }

    pub(super) fn auth(&self) -> Option<&'a str> {
        self.client.auth.as_ref().map(Secret::expose)
    }
}
