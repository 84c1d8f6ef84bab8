//! Servers and clients that find each other by mDNS, each test in a network of its own, beside Go's and Avahi's.

mod avahi;
mod go;
mod network;
mod servers;
mod support;
mod vectors;

/// Tests of the suite that hold without a server in between, each in a network of its own.
macro_rules! tests {
    ($($part:ident::$test:ident),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                rpcx_registries::network::apart(concat!(module_path!(), "::", stringify!($test)), || {
                    let ours = crate::support::OURS;
                    rpcx_registries::suite::$part::$test::<rpcx_registries::mdns::Mdns>(ours);
                });
            }
        )+
    };
}

tests! {
    clients::a_list_is_followed_within_a_second,
    servers::metadata_of_every_kind_is_written_as_given_and_refreshed_as_go_does,
    servers::a_killed_server_leaves_in_time_and_a_terminated_one_at_once,
    servers::a_successor_takes_the_node_over_and_it_is_never_absent,
    faults::a_killed_server_costs_no_call_and_leaves_the_list,
    faults::a_restart_on_the_same_port_costs_no_call_and_no_moment_of_absence,
    scale::a_thousand_nodes_of_which_a_tenth_changes_each_second,
}
