//! What a nested call inherits from the call it is made for.

use std::time::Instant;

use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

/// The call that a nested call is made for: its deadline, and the metadata of which `propagate_metadata` names the keys
/// that are handed on. Made from a handler's context.
#[derive(Clone, Debug, Default)]
pub struct Parent {
    deadline: Option<Instant>,
    metadata: Metadata,
}

impl Parent {
    /// A parent by its parts.
    pub fn new(deadline: Option<Instant>, metadata: Metadata) -> Parent {
        Parent { deadline, metadata }
    }

    /// When the parent's caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Adds the pairs that `keys` name to `metadata`, unless it has them. Keys of the protocol are never handed on.
    pub(crate) fn hand_on(&self, names: &[String], metadata: &mut Metadata) {
        for name in names.iter().filter(|name| !keys::is_reserved(name)) {
            if let Some(value) = self.metadata.get(name)
                && !metadata.contains(name)
            {
                metadata.insert(name, value);
            }
        }
    }
}
