//! One who follows a service on a connection.

use super::{Connection, unknown};
use crate::message::ServiceInfo;
use rpcx::Result;
use std::sync::Arc;
use tokio::sync::watch;

/// Somebody who follows a service, until dropped.
pub(crate) struct Follower {
    connection: Arc<Connection>,
    service: Arc<str>,
    lists: watch::Receiver<Option<Arc<ServiceInfo>>>,
}

impl Follower {
    pub(super) fn new(
        connection: Arc<Connection>,
        service: Arc<str>,
        lists: watch::Receiver<Option<Arc<ServiceInfo>>>,
    ) -> Self {
        Self { connection, service, lists }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The list that was pushed last, if there was one.
    pub(super) fn pushed(&mut self) -> Option<Arc<ServiceInfo>> {
        self.lists.borrow_and_update().clone()
    }

    /// The next list, or why there will be none.
    pub(crate) async fn next(&mut self) -> Result<Arc<ServiceInfo>> {
        loop {
            tokio::select! {
                biased;
                error = self.connection.end() => return Err(error),
                changed = self.lists.changed() => {
                    if changed.is_err() {
                        return Err(unknown());
                    }
                    if let Some(list) = self.pushed() {
                        return Ok(list);
                    }
                }
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(followed) = self.connection.shared.followed().get_mut(&self.service) {
            followed.leaving = true;
        }
        self.connection.shared.left.notify_one();
    }
}
