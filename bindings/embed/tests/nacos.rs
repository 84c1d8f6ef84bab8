//! Nacos by its URL.
#![cfg(feature = "nacos")]

mod meeting;

#[test]
fn servers_and_clients_meet_there_and_leave_no_thread() {
    meeting::takes_place::<rpcx_registries::nacos::Nacos>();
}
