//! The discovery: a subscription to each service, whose list the server pushes whole.

use crate::connect::Members;
use crate::connection::{Connection, Follower};
use crate::message::ServiceInfo;
use crate::options::NacosOptions;
use rpcx::discovery::{BoxFuture, Feed, Node, Source};
use rpcx::{Error, Reason, Result};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The services of a namespace and group; made by [`discovery`](crate::discovery). All that are followed share one connection.
#[derive(Debug)]
pub struct Nacos {
    members: Members,
    /// Locked while somebody connects, for whom the others wait.
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Nacos {
    pub(crate) fn new(options: NacosOptions) -> Self {
        Self { members: Members::new(options), connection: Mutex::default() }
    }

    async fn connection(&self) -> Result<Arc<Connection>> {
        let mut connection = self.connection.lock().await;
        if let Some(known) = connection.as_ref().filter(|known| known.lost().is_none()) {
            return Ok(known.clone());
        }
        *connection = None;
        let new = Arc::new(self.members.connect(None).await?);
        *connection = Some(new.clone());
        Ok(new)
    }

    /// One that answers too late is used no more.
    async fn forget(&self, late: &Arc<Connection>) {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_some_and(|known| Arc::ptr_eq(known, late)) {
            *connection = None;
        }
    }

    async fn subscribe(&self, service: &str) -> Result<(Arc<ServiceInfo>, Follower)> {
        let connection = self.connection().await?;
        let limit = self.members.options().registry.request_timeout;
        let subscribed = tokio::time::timeout(limit, connection.follow(service)).await.unwrap_or_else(|_| {
            let text = format!("nacos: no answer within request_timeout ({limit:?})");
            Err(Error::new(Reason::ConnectTimeout, text))
        });
        if subscribed.is_err() {
            self.forget(&connection).await;
        }
        subscribed
    }

    /// Ends when the connection is lost.
    async fn follow_service(&self, service: &str, feed: &Feed) -> Result<std::convert::Infallible> {
        let (mut list, mut follower) = self.subscribe(service).await?;
        loop {
            feed.answer(nodes(&list, &self.members.options().cluster));
            list = follower.next().await?;
        }
    }
}

impl Source for Nacos {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            match self.follow_service(service, feed).await {
                Ok(never) => match never {},
                Err(error) => error,
            }
        })
    }

    fn close(&self) {
        // Nobody follows any more, so nobody holds it.
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
        }
    }
}

/// Those that take calls. While a server hands its address on to its successor, Java's Nacos lists both instances.
fn nodes(list: &ServiceInfo, cluster: &str) -> Vec<Node> {
    let wanted = list.hosts.iter().flatten().filter(|host| host.is_wanted(cluster));
    let nodes: HashMap<_, _> =
        wanted.filter_map(|host| host.node()).map(|node| (node.shared_address(), node)).collect();
    nodes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_node_an_address_in_the_cluster_that_is_asked_for() {
        let host = |port: u16, cluster: &str, version: &str| json!({"ip": "127.0.0.1", "port": port, "clusterName": cluster, "metadata": {"network": "tcp", "v": version}});
        let hosts = [host(1, "a", "1"), host(1, "a", "2"), host(2, "b", "1")];
        let list: ServiceInfo = serde_json::from_value(json!({"name": "Arith", "hosts": hosts})).expect("a list");
        let seen = |cluster: &str| {
            let mut seen: Vec<_> = nodes(&list, cluster).iter().map(Node::to_string).collect();
            seen.sort();
            seen
        };
        assert_eq!(seen("a"), ["tcp@127.0.0.1:1?network=tcp&v=2"]);
        assert_eq!(seen("b"), ["tcp@127.0.0.1:2?network=tcp&v=1"]);
        assert_eq!(seen("").len(), 2);
        assert!(seen("c").is_empty());
    }
}
