//! Discoveries whose nodes are given by the user: one server, or a list that may be replaced at any time. Every service
//! is offered by all of their nodes.

use std::sync::Arc;

use super::{Discovery, Node, NodeChange, Publisher, Snapshot, Watch};
use crate::error::Result;

/// One server, for good.
#[derive(Debug)]
pub struct Peer2Peer(Publisher);

impl Peer2Peer {
    /// A discovery of this one server.
    pub fn new(node: Node) -> Self {
        let publisher = Publisher::new();
        publisher.publish(vec![node]);
        Self(publisher)
    }
}

impl Discovery for Peer2Peer {
    fn watch(&self, _service: &str) -> Watch {
        self.0.watch()
    }

    fn close(&self) {
        self.0.close();
    }

    fn given(&self) -> Option<Arc<Snapshot>> {
        Some(self.0.latest())
    }
}

/// A list of servers that the user keeps; it may be empty.
///
/// ```
/// use rpcx::discovery::{Discovery, Multiple};
///
/// let servers = Multiple::parse("tcp@10.0.0.1:8972?weight=2,tcp@10.0.0.2:8972")?;
/// let watch = servers.watch("Arith");
/// servers.update(vec!["tcp@10.0.0.3:8972".parse()?]);
/// assert_eq!(watch.latest().nodes()[0].address(), "tcp@10.0.0.3:8972");
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Multiple(Publisher);

impl Multiple {
    /// A discovery of these servers, in any order. Of several with the same address the last one counts.
    pub fn new(nodes: Vec<Node>) -> Self {
        let publisher = Publisher::new();
        publisher.publish(nodes);
        Self(publisher)
    }

    /// A discovery of a list separated by commas, each entry `ADDRESS` or `ADDRESS?METADATA`. Empty text is an empty list.
    ///
    /// # Errors
    ///
    /// `config.bad_address` for an entry without an address; the text names the list.
    pub fn parse(list: &str) -> Result<Self> {
        super::url::parse_list(list).map(Self::new)
    }

    /// Replaces the list. The watches see it at once; connections to servers that stay are not touched.
    pub fn update(&self, nodes: Vec<Node>) {
        self.0.publish(nodes);
    }

    /// Changes single servers of the list, in order; the others are not looked at. For one thread at a time.
    ///
    /// ```
    /// use rpcx::discovery::{Discovery, Multiple, NodeChange};
    ///
    /// let servers = Multiple::parse("a:1,b:1")?;
    /// servers.change([NodeChange::Set("b:1?weight=2".parse()?), NodeChange::Remove("a:1".into())]);
    /// assert_eq!(servers.watch("Arith").latest().nodes()[0].to_string(), "b:1?weight=2");
    /// # Ok::<(), rpcx::error::Error>(())
    /// ```
    pub fn change(&self, changes: impl IntoIterator<Item = NodeChange>) {
        self.0.change(changes);
    }
}

impl Discovery for Multiple {
    fn watch(&self, _service: &str) -> Watch {
        self.0.watch()
    }

    fn close(&self) {
        self.0.close();
    }

    fn given(&self) -> Option<Arc<Snapshot>> {
        Some(self.0.latest())
    }

    fn set_nodes(&self, nodes: Vec<Node>) -> Result<()> {
        self.update(nodes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SnapshotState;
    use crate::error::Reason;

    fn text(watch: &Watch) -> String {
        watch.latest().nodes().iter().map(Node::to_string).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn one_server_is_known_at_once_and_cannot_be_replaced() {
        let discovery = Peer2Peer::new("127.0.0.1:1?weight=2".parse().expect("node"));
        let watch = discovery.watch("Arith");
        assert_eq!((text(&watch).as_str(), watch.latest().state()), ("127.0.0.1:1?weight=2", SnapshotState::Live));
        let error = discovery.set_nodes(Vec::new()).expect_err("fixed");
        assert_eq!(error.reason(), Reason::ConfigBadArgument);
        assert_eq!(watch.latest().len(), 1);
    }

    #[tokio::test]
    async fn a_list_changes_for_every_watch_until_it_is_closed() {
        let discovery = Multiple::parse("b:1,a:1").expect("list");
        let (mut arith, echo) = (discovery.watch("Arith"), discovery.watch("Echo"));
        assert_eq!(text(&arith), "a:1,b:1");
        discovery.set_nodes(vec!["c:1".parse().expect("node")]).expect("a list");
        assert_eq!(arith.changed().await.map(|snapshot| snapshot.revision()), Some(2));
        assert_eq!((text(&arith).as_str(), text(&echo).as_str()), ("c:1", "c:1"));
        discovery.close();
        discovery.update(Vec::new());
        assert!(arith.changed().await.is_none());
        assert_eq!(text(&discovery.watch("Late")), "c:1");
    }

    #[test]
    fn an_empty_list_is_a_live_one() {
        let watch = Multiple::parse("").expect("list").watch("Arith");
        assert_eq!((watch.latest().len(), watch.latest().state()), (0, SnapshotState::Live));
    }
}
