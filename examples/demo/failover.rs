//! A server dies under load and is started again: no call fails, the others take over, and it gets calls again.

use std::time::{Duration, Instant};

use rpcx::{Client, Result};

use crate::load::{CALLERS, Load, Seen};
use crate::processes::Process;
use crate::report::{Outcome, Report, Tally, expect, milliseconds};

/// Without a call that had to be sent again for so long, the others carry all.
const QUIET: Duration = Duration::from_millis(500);

/// The others take over within this time.
const LIMIT: Duration = Duration::from_secs(1);

/// Calls the three servers of `client` while `victim`, one of them, is killed and started again.
pub(crate) async fn run(client: &Client, others: [&Process; 2], victim: &mut Process) -> Result<Tally> {
    let mut report = Report::new("Failover: what was promised");
    let mut seen = Seen::default();
    let mut took = Duration::ZERO;
    report
        .step("a server dies", async {
            (seen, took) = kill_and_restart(client, others, victim).await?;
            seen.none_failed()?;
            Ok(format!("{} calls, none failed; the longest took {} ms", seen.answers(), milliseconds(seen.longest)))
        })
        .await;
    report
        .step("the others", async {
            expect(seen.again > 0, || "no call met the dead server".to_owned())?;
            expect(took < LIMIT, || format!("they carried all after {took:?} only"))?;
            Ok(format!("carried all {} ms after the kill; {} calls were sent again", milliseconds(took), seen.again))
        })
        .await;
    Ok(report.print())
}

/// What the callers saw, and how long after the kill the last call was answered that had met the dead server.
async fn kill_and_restart(
    client: &Client,
    [first, second]: [&Process; 2],
    victim: &mut Process,
) -> Outcome<(Seen, Duration)> {
    let mut load = Load::start(client, &format!("{CALLERS} callers, round robin over three servers"))?;
    load.until("every server answers", |seen| {
        [first, second, &*victim].iter().all(|server| seen.answers_of(&server.address) > 1_000)
    })
    .await?;

    load.note(format!("{} is killed (SIGKILL)", victim.name));
    let killed = Instant::now();
    victim.kill().await?;
    load.until("the others carry all", |seen| seen.last_again.unwrap_or(killed).elapsed() > QUIET).await?;
    let took = load.seen().last_again.map_or(Duration::ZERO, |at| at.saturating_duration_since(killed));

    *victim = Process::start(victim.name, "moody", &victim.address).await?;
    load.note("it is started again");
    let before = load.seen().answers_of(&victim.address);
    load.until("it is used again", |seen| seen.answers_of(&victim.address) > before).await?;
    load.note("it is used again");
    load.until("it is used as before", |seen| seen.answers_of(&victim.address) > before + 1_000).await?;
    let title = "Failover: answers of three servers while one is killed and started again";
    Ok((load.finish(title, &[first, second, victim]).await?, took))
}
