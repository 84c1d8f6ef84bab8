//! A circuit breaker: a server refuses every call for a while, and is left alone until it is well again.

use std::time::{Duration, Instant};

use rpcx::stats::EndpointStats;
use rpcx::{Client, Result};

use crate::load::{CALLERS, Load, Seen};
use crate::processes::Process;
use crate::report::{Outcome, Report, Tally, expect};
use crate::service::LabClient;

/// How long all is well, and for how long the server refuses once its breaker is open.
const SPELL: Duration = Duration::from_millis(800);

/// A client of the three servers with breakers that open after five failures, for 500 ms.
pub(crate) fn client(servers: &[&Process; 3]) -> Result<Client> {
    let addresses = servers.map(|server| server.address.as_str()).join(",");
    Client::builder()
        .discovery_url(&format!("multiple://{addresses}"))
        .option("breaker.enabled", "true")
        .option("breaker.failures", "5")
        .option("breaker.open_time", "500ms")
        .option("breaker.probes", "2")
        .build()
}

/// Calls the servers of `client` while the last of them refuses every call.
pub(crate) async fn run(client: &Client, servers: &[&Process; 3]) -> Result<Tally> {
    let mut report = Report::new("Circuit breaker: what was promised");
    let mut refused = 0;
    report
        .step("a server refuses", async {
            let seen;
            (seen, refused) = refuse_and_recover(client, servers).await?;
            seen.none_failed()?;
            Ok(format!("{} calls, none failed: those it refused went to another server", seen.answers()))
        })
        .await;
    report
        .step("its breaker", async {
            let stats = stats(client, servers[2])?;
            expect(stats.breaker_opened > 0, || "it never opened".to_owned())?;
            expect(stats.breaker == Some("closed"), || format!("it is {}", stats.breaker.unwrap_or("off")))?;
            // Those that open it, those that were on their way by then, and two probes each time.
            let most = 5 + 2 * CALLERS as u64 + 2 * stats.breaker_opened;
            expect(refused <= most, || format!("it let {refused} calls through that were refused"))?;
            Ok(format!(
                "opened {} times, let {refused} calls through that were refused, is closed",
                stats.breaker_opened
            ))
        })
        .await;
    Ok(report.print())
}

/// What the callers saw, and how many attempts the server refused.
async fn refuse_and_recover(client: &Client, servers: &[&Process; 3]) -> Outcome<(Seen, u64)> {
    let moody = servers[2];
    let lab = LabClient::new(&Client::new(&moody.address)?)?;
    let mut load = Load::start(client, "closed: all three answer")?;
    let begin = Instant::now();
    load.until("every server answers", |seen| {
        begin.elapsed() > SPELL && servers.iter().all(|server| seen.answers_of(&server.address) > 100)
    })
    .await?;

    lab.refuse(&true).await?;
    load.note(format!("closed: {} begins to refuse every call", moody.name));
    load.until("the breaker opens", |_| opened(client, moody) > 0).await?;
    load.note("open: it gets no calls");
    let is_open = Instant::now();
    let mut times = 1;
    while is_open.elapsed() < SPELL {
        load.until("a probe, or the end of the spell", |_| opened(client, moody) > times || is_open.elapsed() > SPELL)
            .await?;
        if opened(client, moody) > times {
            times = opened(client, moody);
            load.note("half open, then open: it refused a probe");
        }
    }

    lab.refuse(&false).await?;
    load.note("open: it is well again, which nobody knows yet");
    let is_closed = || stats(client, moody).is_ok_and(|stats| stats.breaker == Some("closed"));
    load.until("the breaker closes", |_| is_closed()).await?;
    load.note("half open, then closed: both probes were answered");
    let before = load.seen().answers_of(&moody.address);
    load.until("it is used as before", |seen| seen.answers_of(&moody.address) > before + 1_000).await?;
    let refused = stats(client, moody)?.calls.map_or(0, |calls| calls.failed);
    Ok((load.finish("Circuit breaker: one of three servers refuses for a while", servers).await?, refused))
}

fn opened(client: &Client, server: &Process) -> u64 {
    stats(client, server).map_or(0, |stats| stats.breaker_opened)
}

/// What the client knows of a server.
fn stats(client: &Client, server: &Process) -> Outcome<EndpointStats> {
    let mut servers = client.stats().servers.into_iter();
    servers
        .find(|stats| stats.server == server.address)
        .ok_or_else(|| format!("no statistics of {}", server.name).into())
}
