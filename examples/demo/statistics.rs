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

/// What the servers that live have counted.
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
    table("Statistics of the servers that live", &headings, &rows);
    Ok(())
}
