//! Outlier ejection: a server whose failures or latency stand out among its peers leaves selection for a while.

use super::tally::{Tally, Totals};
use super::ticker::Ticker;
use crate::nanoseconds::nanoseconds;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What stands out, and for how long it is ejected: the group of options `ejection`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EjectionRules {
    /// How often servers are compared.
    pub interval: Duration,
    /// A server with fewer calls lately is not judged and not compared with. Lately: this interval's calls, half of those
    /// of the one before, and so on.
    pub min_calls: u32,
    /// Ejects a server whose share of failed calls is above the median of all servers by more than this; 1: none.
    pub error_margin: f64,
    /// Ejects a server whose average latency is above the median of all servers by more than this factor; 0: none.
    pub latency_factor: f64,
    /// … and by more than this time.
    pub latency_margin: Duration,
    /// How long a server is ejected the first time. Each further time takes twice as long; every such time without an
    /// ejection takes one step back.
    pub base_time: Duration,
    /// The longest that a server is ejected at a time.
    pub max_time: Duration,
    /// No more than this share of all servers is out at once, rounded down.
    pub max_share: f64,
}

/// Looks every second; 20 % more failures, or 3 times the latency and 5 ms more; out for 10 s up to 5 minutes, at most half
/// of the servers.
impl Default for EjectionRules {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            min_calls: 10,
            error_margin: 0.2,
            latency_factor: 3.0,
            latency_margin: Duration::from_millis(5),
            base_time: Duration::from_secs(10),
            max_time: Duration::from_secs(300),
            max_share: 0.5,
        }
    }
}

/// Decides which of some servers are ejected. The servers' counts and standings are the caller's, one [`Standing`] each.
///
/// ```
/// use rpcx::resilience::{CallEnd, EjectionRules, Ejector, Standing};
/// use std::time::{Duration, Instant};
///
/// let (start, ms) = (Instant::now(), Duration::from_millis(1));
/// let ejector = Ejector::new(EjectionRules::default(), start);
/// let mut servers: Vec<Standing> = (0..4).map(|_| Standing::default()).collect();
/// for _ in 0..20 {
///     servers[..3].iter().for_each(|server| server.tally().record(CallEnd::Good, ms));
///     servers[3].tally().record(CallEnd::Good, 20 * ms);
/// }
/// let now = start + 1_000 * ms;
/// assert!(ejector.claim(now) && ejector.sweep(&mut servers, now));
/// assert_eq!(servers[3].ejected_until(), Some(now + 10_000 * ms));
/// ```
#[derive(Debug)]
pub struct Ejector {
    rules: EjectionRules,
    looks: Ticker,
}

/// What is known of one server: its counts, and whether it is ejected.
#[derive(Debug, Default)]
pub struct Standing {
    tally: Arc<Tally>,
    /// The counts at the last look.
    seen: Totals,
    lately: Lately,
    looked: Option<Instant>,
    until: Option<Instant>,
    /// How many times the base time doubled, and one.
    level: u32,
    /// Since when it is in, or the level last fell.
    calm_since: Option<Instant>,
    ejections: u64,
}

/// Counts in which old calls weigh less and less.
#[derive(Clone, Copy, Debug, Default)]
struct Lately {
    good: f64,
    bad: f64,
    /// Nanoseconds.
    latency: f64,
}

impl Standing {
    /// Where the ends of calls are recorded.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// While it is ejected, when it comes back; it does with the sweep or the update that follows.
    pub fn ejected_until(&self) -> Option<Instant> {
        self.until
    }

    /// How often it has been ejected.
    pub fn ejections(&self) -> u64 {
        self.ejections
    }

    /// The average latency of good calls lately; `None` if there were none.
    pub fn latency(&self) -> Option<Duration> {
        (self.lately.good > 0.0).then(|| Duration::from_nanos((self.lately.latency / self.lately.good) as u64))
    }

    fn look(&mut self, now: Instant, interval: Duration) {
        let totals = self.tally.totals();
        let since = |count: u64, seen: u64| count.saturating_sub(seen) as f64;
        let elapsed = self.looked.map_or(interval, |looked| now.saturating_duration_since(looked));
        let kept = 0.5_f64.powf(elapsed.as_secs_f64() / interval.as_secs_f64());
        self.lately = Lately {
            good: self.lately.good * kept + since(totals.good, self.seen.good),
            bad: self.lately.bad * kept + since(totals.bad, self.seen.bad),
            latency: self.lately.latency * kept + since(nanoseconds(totals.latency), nanoseconds(self.seen.latency)),
        };
        (self.seen, self.looked) = (totals, Some(now));
    }

    /// Back in selection, with nothing held against it but its level.
    fn restore(&mut self, now: Instant) {
        (self.until, self.calm_since) = (None, Some(now));
        (self.seen, self.lately, self.looked) = (self.tally.totals(), Lately::default(), Some(now));
    }

    fn share_of_failures(&self) -> f64 {
        self.lately.bad / (self.lately.good + self.lately.bad)
    }

    fn mean(&self) -> f64 {
        self.lately.latency / self.lately.good
    }
}

/// How far a server is beyond what is allowed; failures go before latency.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Excess {
    Latency(f64),
    Failures(f64),
}

impl Ejector {
    /// An ejector that takes its first look one interval from `now`.
    pub fn new(rules: EjectionRules, now: Instant) -> Self {
        let looks = Ticker::new(rules.interval, now);
        Self { rules: EjectionRules { interval: looks.interval(), ..rules }, looks }
    }

    /// Whether a look is due and this caller is to take it, by [`sweep`](Self::sweep). One load when none is due.
    #[inline]
    pub fn claim(&self, now: Instant) -> bool {
        self.looks.claim(now)
    }

    /// Compares the servers, ejects those that stand out, and brings back those whose time is over. Linear in their number.
    /// Returns whether any of them left or came back.
    pub fn sweep(&self, servers: &mut [Standing], now: Instant) -> bool {
        let mut changed = self.restore(servers, now);
        for server in servers.iter_mut().filter(|server| server.until.is_none()) {
            server.look(now, self.rules.interval);
        }
        let mut outliers = self.outliers(servers);
        self.calm_down(servers, &outliers, now);
        outliers.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(std::cmp::Ordering::Equal));
        let out = servers.iter().filter(|server| server.until.is_some()).count();
        for (index, _) in outliers.into_iter().take(self.most(servers.len()).saturating_sub(out)) {
            self.eject(&mut servers[index], now);
            changed = true;
        }
        changed
    }

    /// Brings back those whose time is over, and whoever is out beyond the share, because there are fewer servers now.
    /// Returns whether there were any.
    pub fn restore(&self, servers: &mut [Standing], now: Instant) -> bool {
        let mut changed = false;
        for server in servers.iter_mut().filter(|server| server.until.is_some_and(|until| until <= now)) {
            server.restore(now);
            changed = true;
        }
        let mut out: Vec<usize> = (0..servers.len()).filter(|index| servers[*index].until.is_some()).collect();
        out.sort_by_key(|index| servers[*index].until);
        let too_many = out.len().saturating_sub(self.most(servers.len()));
        for index in &out[..too_many] {
            servers[*index].restore(now);
        }
        changed || too_many > 0
    }

    /// So many of `servers` may be out.
    fn most(&self, servers: usize) -> usize {
        // A third of three shall be one, though 0.333 is a little less.
        (servers as f64 * self.rules.max_share.clamp(0.0, 1.0) + 1e-9) as usize
    }

    fn outliers(&self, servers: &[Standing]) -> Vec<(usize, Excess)> {
        let rules = &self.rules;
        let enough = |calls: f64| calls >= f64::from(rules.min_calls.max(1));
        let judged = |server: &&Standing| server.until.is_none() && enough(server.lately.good + server.lately.bad);
        let timed = |server: &&Standing| judged(server) && enough(server.lately.good);
        let failures = median(servers.iter().filter(judged).map(Standing::share_of_failures).collect());
        let latency = median(servers.iter().filter(timed).map(Standing::mean).collect());
        let margin = nanoseconds(rules.latency_margin) as f64;
        let excess = |server: &Standing| {
            if judged(&server) && server.share_of_failures() - failures? > rules.error_margin {
                return Some(Excess::Failures(server.share_of_failures()));
            }
            let mean = Some(server.mean()).filter(|_| rules.latency_factor > 0.0 && timed(&server))?;
            let allowed = (latency? * rules.latency_factor).max(latency? + margin);
            (mean > allowed).then_some(Excess::Latency(mean))
        };
        servers.iter().enumerate().filter_map(|(index, server)| Some((index, excess(server)?))).collect()
    }

    fn eject(&self, server: &mut Standing, now: Instant) {
        let time = self.rules.base_time.saturating_mul(1 << server.level.min(31)).min(self.rules.max_time);
        server.level = server.level.saturating_add(1);
        server.ejections += 1;
        server.until = now.checked_add(time);
    }

    /// Servers that have been in for a while without standing out are ejected for less the next time.
    fn calm_down(&self, servers: &mut [Standing], outliers: &[(usize, Excess)], now: Instant) {
        let mut outliers = outliers.iter().map(|(index, _)| *index).peekable();
        for (index, server) in servers.iter_mut().enumerate() {
            if outliers.next_if_eq(&index).is_some() {
                server.calm_since = Some(now);
            } else if server.level > 0 && server.until.is_none() {
                let since = *server.calm_since.get_or_insert(now);
                if now.saturating_duration_since(since) >= self.rules.base_time {
                    server.level -= 1;
                    server.calm_since = Some(now);
                }
            }
        }
    }
}

/// The lower median: of two servers the better one is the measure.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    let middle = figures.len().checked_sub(1)? / 2;
    Some(*figures.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests;
