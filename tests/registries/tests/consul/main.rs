//! Servers and clients in a real Consul, beside Go's.

mod clients;
mod go;
mod secured;
mod servers;
mod support;
mod vectors;

rpcx_registries::tests! { rpcx_registries::consul::Consul:
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
    peers::go_and_we_share_a_service_and_a_registry_that_loses_its_data,
    scale::a_thousand_nodes_of_which_a_tenth_changes_each_second,
}

rpcx_registries::tests! { long: rpcx_registries::consul::Consul:
    story::calls_go_on_while_servers_and_registry_are_killed_and_come_back,
}

mod python {
    rpcx_registries::tests! { python: rpcx_registries::consul::Consul:
        servers::a_killed_server_leaves_in_time_and_a_terminated_one_at_once,
        faults::a_registry_that_restarts_with_or_without_its_data_costs_no_call,
        faults::a_registry_that_is_paused_costs_no_call,
        faults::a_killed_server_costs_no_call_and_leaves_the_list,
        faults::a_restart_on_the_same_port_costs_no_call_and_no_moment_of_absence,
        peers::a_go_client_follows_our_server_from_its_start_to_its_end,
    }
}
