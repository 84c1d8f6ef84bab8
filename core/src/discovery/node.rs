//! One server that offers a service: where it is, and what it says about itself.

use super::NodeMetadata;
use crate::error::{Error, Reason, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One server that offers a service. Cloning counts two references.
///
/// ```
/// use rpcx::discovery::Node;
///
/// let node: Node = "tcp@127.0.0.1:8972?weight=7&group=a".parse()?;
/// assert_eq!(node.address(), "tcp@127.0.0.1:8972");
/// assert_eq!(node.metadata().weight(), 7);
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    address: Arc<str>,
    metadata: NodeMetadata,
}

impl Node {
    /// A node from its address, `network@address` or `host:port` without metadata, and its metadata.
    ///
    /// The address is kept as written; whether it can be dialled shows when somebody dials it.
    ///
    /// # Errors
    ///
    /// `config.bad_address` if the address is empty.
    pub fn new(address: impl Into<Arc<str>>, metadata: NodeMetadata) -> Result<Self> {
        let address = address.into();
        if address.is_empty() {
            return Err(Error::new(Reason::ConfigBadAddress, "the address of a node is empty"));
        }
        Ok(Self { address, metadata })
    }

    /// Where the server is, as its discovery writes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address, shared.
    pub fn shared_address(&self) -> Arc<str> {
        self.address.clone()
    }

    /// What the server says about itself.
    pub fn metadata(&self) -> &NodeMetadata {
        &self.metadata
    }

    /// Orders by address, looking at the text only where it must.
    pub(super) fn compare_address(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.address, &other.address) {
            return std::cmp::Ordering::Equal;
        }
        self.address.cmp(&other.address)
    }
}

/// Reads `ADDRESS` or `ADDRESS?METADATA`; the first `?` divides them.
impl FromStr for Node {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (address, metadata) = text.split_once('?').unwrap_or((text, ""));
        if address.is_empty() {
            return Err(Error::new(Reason::ConfigBadAddress, format!("{text:?} has no address")));
        }
        Self::new(address, NodeMetadata::new(metadata))
    }
}

/// Writes what [`FromStr`] reads.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)?;
        match self.metadata.as_str() {
            "" => Ok(()),
            metadata => write!(f, "?{metadata}"),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_metadata_part_at_the_first_question_mark() {
        for (text, address, metadata) in [
            ("127.0.0.1:8972", "127.0.0.1:8972", ""),
            ("tcp@[::1]:8972?weight=7", "tcp@[::1]:8972", "weight=7"),
            ("unix@/run/a.sock?x=a?b", "unix@/run/a.sock", "x=a?b"),
            ("tcp@a:1?", "tcp@a:1", ""),
        ] {
            let node: Node = text.parse().expect(text);
            assert_eq!((node.address(), node.metadata().as_str()), (address, metadata), "{text}");
            assert_eq!(node.to_string().parse::<Node>().expect(text), node);
        }
    }

    #[test]
    fn an_address_must_be_there() {
        for text in ["", "?weight=7"] {
            let error = text.parse::<Node>().expect_err(text);
            assert_eq!(error.reason(), Reason::ConfigBadAddress);
            assert!(error.message().contains(&format!("{text:?}")), "{error}");
        }
        assert!(Node::new("", NodeMetadata::default()).is_err());
    }
}
