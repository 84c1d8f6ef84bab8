//! The statistics that clients and servers keep by themselves.

use rpcx::Client;

use crate::processes::Process;
use crate::report::{Outcome, table};
use crate::service::{Figures, LabClient};

/// What a client has counted, by method.
pub(crate) fn of_client(title: &str, client: &Client) {
    let stats = client.stats();
    let mut methods = stats.methods;
    methods.retain(|method| method.calls > 0);
    methods.sort_by_key(|method| std::cmp::Reverse(method.calls));
    let rows: Vec<Vec<String>> = methods
        .iter()
        .map(|method| {
            let latency = &method.latency;
            let us = |value: f64| if latency.count == 0 { "-".to_owned() } else { format!("{value:.0}") };
            vec![
                format!("{}.{}", method.service, method.method),
                method.calls.to_string(),
                method.errors.to_string(),
                method.retries.to_string(),
                us(latency.p50_us),
                us(latency.p99_us),
                us(latency.max_us),
            ]
        })
        .collect();
    table(title, &["method", "calls", "errors", "retries", "p50 us", "p99 us", "max us"], &rows);
    let traffic = stats.traffic;
    println!(
        "\n  {} calls, {} failed; connections: {} opened, {} not; {} writes, {} reads; {} bytes out, {} in",
        stats.calls,
        stats.errors.total(),
        stats.connections.opened,
        stats.connections.failed,
        traffic.writes,
        traffic.reads,
        traffic.bytes_out,
        traffic.bytes_in
    );
}

/// What a client knows of each of its servers.
pub(crate) fn of_endpoints(title: &str, client: &Client, servers: &[&Process]) {
    let stats = client.stats();
    let mut known = stats.servers;
    known.sort_by_key(|server| servers.iter().position(|process| process.address == server.server));
    let rows: Vec<Vec<String>> = known
        .iter()
        .map(|server| {
            let name = servers.iter().find(|process| process.address == server.server).map_or("-", |found| found.name);
            let state = match (server.breaker, server.ejected, server.disallowed) {
                (Some(state @ ("open" | "half_open")), _, _) => format!("breaker {state}"),
                (_, true, _) => "ejected".to_owned(),
                (_, _, true) => "not reached".to_owned(),
                _ => "in use".to_owned(),
            };
            let calls = server.calls.unwrap_or_default();
            vec![
                name.to_owned(),
                state,
                server.connections.to_string(),
                server.in_flight.to_string(),
                calls.good.to_string(),
                calls.failed.to_string(),
                format!("{:.0}", calls.mean_us),
                server.retries.to_string(),
                server.breaker_opened.to_string(),
            ]
        })
        .collect();
    let headings =
        ["server", "state", "connections", "in flight", "good", "failed", "mean us", "retries to it", "breaker opened"];
    table(title, &headings, &rows);
    println!(
        "\n  {} calls, {} failed, {} retries; the budget has {} more",
        stats.calls,
        stats.errors.total(),
        stats.retries,
        stats.retry_budget_left
    );
}

/// What the servers have counted since they were started.
pub(crate) async fn of_servers(servers: &[&Process]) -> Outcome<()> {
    let mut rows = Vec::new();
    for server in servers {
        let Figures { calls, errors, panics, cancelled, connections, pushes, reads, writes, bytes_in, bytes_out } =
            LabClient::new(&Client::new(&server.address)?)?.figures(&()).await?;
        let mut row = vec![server.name.to_owned()];
        row.extend(
            [calls, errors, panics, cancelled, connections, pushes, reads, writes, bytes_in, bytes_out]
                .map(|figure| figure.to_string()),
        );
        rows.push(row);
    }
    let headings = [
        "server",
        "calls",
        "errors",
        "panics",
        "cancelled",
        "connections",
        "pushes",
        "reads",
        "writes",
        "bytes in",
        "bytes out",
    ];
    table("Statistics of the servers since they were started", &headings, &rows);
    Ok(())
}
