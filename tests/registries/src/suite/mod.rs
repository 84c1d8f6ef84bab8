//! What is expected of every registry.
//!
//! A registry's tests name those that hold for it:
//!
//! ```text
//! rpcx_registries::tests! { Etcd: clients::a_list_is_followed_within_a_second, faults::a_registry_that_is_paused_costs_no_call }
//! ```

pub mod clients;
pub mod faults;
pub mod peers;
pub mod scale;
pub mod servers;
pub mod story;
pub mod support;

use crate::Daemon;
use rpcx::discovery::Scheme;
use std::time::Duration;

/// The program of ours that announces itself, which cargo tells to a package's tests only.
#[derive(Clone, Copy, Debug)]
pub struct Ours(pub &'static str);

/// A real registry, as an operator handles it.
#[expect(async_fn_in_trait, reason = "tests wait for them on one thread")]
pub trait Registry: Sized + 'static {
    /// Of the Go programs below `tests/registries/go`, too.
    const NAME: &'static str;

    /// Options with which a server that was killed leaves as soon as it can.
    const SHORT: &'static str;

    /// After this time at the latest.
    const GONE: Duration;

    /// Whether a Go client sees what an operator writes into a node.
    const GO_SEES_EDITS: bool = true;

    /// Starts a server of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    fn start() -> Self;

    /// The scheme of its crate.
    fn scheme() -> impl Scheme + 'static;

    /// The server.
    fn daemon(&self) -> &Daemon;

    /// The server, to be ended and started.
    fn daemon_mut(&mut self) -> &mut Daemon;

    /// `host:port` for clients.
    fn host(&self) -> String;

    /// The URL of a base path with further options.
    fn url(&self, base: &str, options: &str) -> String {
        format!("{}://{}?base_path={base}&{options}", Self::NAME, self.host())
    }

    /// The nodes of a service as they are in the registry, by address, each with its metadata; none if it cannot be asked.
    async fn nodes(&self, base: &str, service: &str) -> Option<Vec<(String, String)>>;

    /// Writes a node, as an operator's tool does: one that is there keeps what it lives by if the registry lets it.
    async fn put(&self, base: &str, service: &str, address: &str, metadata: &str);

    /// Removes a node.
    async fn delete(&self, base: &str, service: &str, address: &str);

    /// Writes many nodes at once.
    async fn fill(&self, base: &str, service: &str, nodes: &[(String, String)]) {
        for (address, metadata) in nodes {
            self.put(base, service, address, metadata).await;
        }
    }
}

/// Tests of a registry out of the [suite](crate::suite), by their names. What stands after `long:` takes minutes and is run by
/// `make test-deep`.
#[macro_export]
macro_rules! tests {
    (long: $registry:ty: $($part:ident::$test:ident),+ $(,)?) => {
        $crate::tests! { @ #[ignore = "takes long: make test-deep runs it"] $registry: $($part::$test),+ }
    };
    ($registry:ty: $($part:ident::$test:ident),+ $(,)?) => {
        $crate::tests! { @ #[cfg(test)] $registry: $($part::$test),+ }
    };
    (@ #[$attribute:meta] $registry:ty: $($part:ident::$test:ident),+) => {
        $(
            #[test]
            #[$attribute]
            fn $test() {
                let ours = $crate::suite::Ours(env!("CARGO_BIN_EXE_rpcx-registries-server"));
                $crate::suite::$part::$test::<$registry>(ours);
            }
        )+
    };
}
