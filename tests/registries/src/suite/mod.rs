//! What is expected of every registry.
//!
//! A registry's tests name those that hold for it:
//!
//! ```text
//! rpcx_registries::tests! { Etcd: clients::a_list_is_followed_within_a_second, faults::a_registry_that_is_paused_costs_no_call }
//! ```

pub mod clients;
pub mod faults;
mod load;
pub mod peers;
pub mod scale;
pub mod servers;
pub mod story;
pub mod support;

use crate::Daemon;
use rpcx::discovery::Scheme;
use std::time::Duration;

/// Programs of ours: each its path and its first arguments.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    /// Announces itself: `src/server.rs`, or what talks like it.
    pub server: &'static [&'static str],
    /// Calls without end; if there is none, the test does it itself.
    pub client: Option<&'static [&'static str]>,
}

impl Ours {
    /// In Python, with its package where `PYTHONPATH` says.
    pub const PYTHON: Ours = Ours {
        server: &["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/python/server.py")],
        client: Some(&["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/python/client.py")]),
    };
}

/// A real registry, as an operator handles it.
#[expect(async_fn_in_trait, reason = "tests wait for them on one thread")]
pub trait Registry: Sized + 'static {
    /// Of the Go programs below `tests/registries/go`, too.
    const NAME: &'static str;

    /// Options with which a server that was killed leaves as soon as it can.
    const SHORT: &'static str;

    /// After this time at the latest.
    const GONE: Duration;

    /// How late clients may see a change; some registries gather changes.
    const SEEN: Duration = Duration::from_secs(1);

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
    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.daemon().port(0))
    }

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

/// Tests of a registry out of the [suite](crate::suite), by their names, or `every:` one that a registry with a store of its own
/// can pass. What stands after `long:` takes minutes; what stands
/// after `python:` has servers and callers in Python, and needs its package: stages of their own run them.
#[macro_export]
macro_rules! tests {
    (every: $registry:ty) => {
        $crate::tests! { $registry:
            clients::a_list_is_followed_within_a_second,
            servers::metadata_of_every_kind_is_written_as_given_and_refreshed_as_go_does,
            servers::an_operators_edit_survives_updates,
            servers::what_others_remove_is_there_again_at_once,
            servers::a_killed_server_leaves_in_time_and_a_terminated_one_at_once,
            servers::a_successor_takes_the_node_over_and_it_is_never_absent,
            servers::a_registry_that_was_away_has_the_node_again_at_once,
            faults::a_registry_that_restarts_with_or_without_its_data_costs_no_call,
            faults::a_registry_that_is_paused_costs_no_call,
            faults::a_killed_server_costs_no_call_and_leaves_the_list,
            faults::a_restart_on_the_same_port_costs_no_call_and_no_moment_of_absence,
            peers::our_client_follows_a_go_server_from_its_start_to_its_end,
            peers::a_go_client_follows_our_server_from_its_start_to_its_end,
            scale::a_thousand_nodes_of_which_a_tenth_changes_each_second,
        }
        $crate::tests! { long: $registry: story::calls_go_on_while_servers_and_registry_are_killed_and_come_back }
        mod python {
            $crate::tests! { python: $registry:
                servers::a_killed_server_leaves_in_time_and_a_terminated_one_at_once,
                faults::a_registry_that_restarts_with_or_without_its_data_costs_no_call,
                faults::a_registry_that_is_paused_costs_no_call,
                faults::a_killed_server_costs_no_call_and_leaves_the_list,
                faults::a_restart_on_the_same_port_costs_no_call_and_no_moment_of_absence,
                peers::a_go_client_follows_our_server_from_its_start_to_its_end,
            }
        }
    };
    (long: $registry:ty: $($part:ident::$test:ident),+ $(,)?) => {
        $crate::tests! { @ #[ignore = "takes long: make test-deep runs it"] $crate::rust!(), $registry: $($part::$test),+ }
    };
    (python: $registry:ty: $($part:ident::$test:ident),+ $(,)?) => {
        $crate::tests! { @ #[ignore = "needs the Python package: the stage registries runs it"]
            $crate::suite::Ours::PYTHON, $registry: $($part::$test),+ }
    };
    ($registry:ty: $($part:ident::$test:ident),+ $(,)?) => {
        $crate::tests! { @ #[cfg(test)] $crate::rust!(), $registry: $($part::$test),+ }
    };
    (@ #[$attribute:meta] $ours:expr, $registry:ty: $($part:ident::$test:ident),+) => {
        $(
            #[test]
            #[$attribute]
            fn $test() {
                $crate::suite::$part::$test::<$registry>($ours);
            }
        )+
    };
}

/// Our server in Rust, whose path cargo tells to the tests of its package alone.
#[macro_export]
macro_rules! rust {
    () => {
        $crate::suite::Ours { server: &[env!("CARGO_BIN_EXE_rpcx-registries-server")], client: None }
    };
}
