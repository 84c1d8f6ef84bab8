//! Servers and clients in a real Nacos, beside Go's.

mod clients;
mod go;
mod secured;
mod servers;
mod tls;
mod vectors;

// Not those of which Nacos has no part: it keeps metadata as a map and means are not written; who removes an instance or ends
// without a successor is not waited for, since instances live by their connections. `servers` has what holds instead.
rpcx_registries::tests! { rpcx_registries::nacos::Nacos:
    clients::a_list_is_followed_within_a_second,
    servers::a_killed_server_leaves_in_time_and_a_terminated_one_at_once,
    faults::a_registry_that_restarts_with_or_without_its_data_costs_no_call,
    faults::a_registry_that_is_paused_costs_no_call,
    faults::a_killed_server_costs_no_call_and_leaves_the_list,
    peers::go_and_we_share_a_service_and_a_registry_that_loses_its_data,
    scale::a_thousand_nodes_of_which_a_tenth_changes_each_second,
}

rpcx_registries::tests! { long: rpcx_registries::nacos::Nacos:
    story::calls_go_on_while_servers_and_registry_are_killed_and_come_back,
}

mod python {
    rpcx_registries::tests! { python: rpcx_registries::nacos::Nacos:
        servers::a_killed_server_leaves_in_time_and_a_terminated_one_at_once,
        faults::a_registry_that_restarts_with_or_without_its_data_costs_no_call,
        faults::a_registry_that_is_paused_costs_no_call,
        faults::a_killed_server_costs_no_call_and_leaves_the_list,
    }
}
