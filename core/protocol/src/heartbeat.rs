//! When to send a heartbeat, and when to give a silent peer up. It has no clock: times are arguments, in milliseconds since
//! an instant of the caller's choice.
//!
//! Two rules stand beside each other, and whichever is due first acts:
//!
//! * Nothing came for `interval`: a heartbeat goes out. Nothing at all within `timeout` of it: the peer is dead.
//! * Calls are pending and nothing came for `stuck_timeout` since the first of them: a heartbeat goes out. Nothing for as
//!   long again: the peer is stuck.
//!
//! Any frame is a sign of life, so a handler that is slow never makes its server look dead.

/// Times of a [`Heartbeat`], in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// False for peers that can't answer heartbeats: turns everything off.
    pub enabled: bool,
    /// Silence after which a heartbeat is sent. Default 15 s; 0 turns everything off.
    pub interval: u64,
    /// Silence after a heartbeat at which the connection is closed. Default 30 s; 0 never closes.
    pub timeout: u64,
    /// Silence with calls pending after which the peer is asked, and after as long again given up. Default 10 s; 0 turns
    /// this rule off.
    pub stuck_timeout: u64,
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self { enabled: true, interval: 15_000, timeout: 30_000, stuck_timeout: 10_000 }
    }
}

/// The silence of one peer.
///
/// ```
/// # use rpcx_protocol::{Action, Heartbeat, HeartbeatConfig, Reason};
/// let mut heartbeat = Heartbeat::new(HeartbeatConfig::default(), 0);
/// assert_eq!(heartbeat.next_due(0, false), Some(15_000));
/// assert_eq!(heartbeat.poll(15_000, false, 0), Action::Send);
/// assert_eq!(heartbeat.poll(45_000, false, 0), Action::Close(Reason::HeartbeatTimeout));
/// ```
#[derive(Debug)]
pub struct Heartbeat {
    config: HeartbeatConfig,
    received: u64,
    /// When the first heartbeat since then went out.
    sent: Option<u64>,
    /// When the last heartbeat because of pending calls went out.
    probed: Option<u64>,
    /// Since when calls are pending, at the last poll.
    pending_since: Option<u64>,
}

/// What a driver has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Send a heartbeat.
    Send,
    /// Close the connection.
    Close(Reason),
}

/// Why a silent connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No sign of life after a heartbeat.
    HeartbeatTimeout,
    /// No sign of life while calls are pending.
    Stuck,
}

impl Heartbeat {
    /// For a connection that was opened at `now`.
    pub fn new(config: HeartbeatConfig, now: u64) -> Self {
        Self { config, received: now, sent: None, probed: None, pending_since: None }
    }

    /// Whether heartbeats are sent at all.
    pub fn is_enabled(&self) -> bool {
        self.config.enabled && self.config.interval > 0
    }

    /// Bytes came at `now`.
    #[inline]
    pub fn on_receive(&mut self, now: u64) {
        self.received = self.received.max(now);
        self.sent = None;
        self.probed = None;
    }

    /// What to do at `now`. `calls_pending` with `since_pending`: calls have been waiting without a break since then.
    ///
    /// Read what the socket holds first: after a process was suspended an answer may be there that nobody has seen.
    pub fn poll(&mut self, now: u64, calls_pending: bool, since_pending: u64) -> Action {
        self.pending_since = calls_pending.then_some(since_pending);
        if !self.is_enabled() {
            return Action::None;
        }
        match self.next_step(self.pending_since) {
            Some((due, step)) if due <= now => match step {
                Step::Send => {
                    self.sent = Some(now);
                    Action::Send
                }
                Step::Probe => {
                    self.probed = Some(now);
                    self.sent = self.sent.or(Some(now));
                    Action::Send
                }
                Step::Close(reason) => Action::Close(reason),
            },
            _ => Action::None,
        }
    }

    /// When to [`poll`](Self::poll) next, no earlier than `now`; `None`: never, as things are. Asks to be called after
    /// `poll`, and again when calls become pending.
    pub fn next_due(&self, now: u64, calls_pending: bool) -> Option<u64> {
        if !self.is_enabled() {
            return None;
        }
        let since = calls_pending.then(|| self.pending_since.unwrap_or(now));
        self.next_step(since).map(|(due, _)| due.max(now))
    }

    /// What is due first under the two rules, and when.
    fn next_step(&self, pending_since: Option<u64>) -> Option<(u64, Step)> {
        let HeartbeatConfig { interval, timeout, stuck_timeout, .. } = self.config;
        let silence = match self.sent {
            None => Some((self.received.saturating_add(interval), Step::Send)),
            Some(_) if timeout == 0 => None,
            Some(sent) => Some((sent.saturating_add(timeout), Step::Close(Reason::HeartbeatTimeout))),
        };
        let stuck = pending_since.filter(|_| stuck_timeout > 0).map(|since| {
            let ask = self.received.max(since).saturating_add(stuck_timeout);
            match self.probed {
                Some(probed) if probed >= ask => (probed.saturating_add(stuck_timeout), Step::Close(Reason::Stuck)),
                _ => (ask, Step::Probe),
            }
        });
        [silence, stuck].into_iter().flatten().min_by_key(|(due, _)| *due)
    }
}

#[derive(Clone, Copy)]
enum Step {
    Send,
    Probe,
    Close(Reason),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat() -> Heartbeat {
        Heartbeat::new(HeartbeatConfig::default(), 0)
    }

    #[test]
    fn a_silent_idle_peer_is_asked_once_and_then_given_up() {
        let mut heartbeat = heartbeat();
        assert_eq!(heartbeat.poll(14_999, false, 0), Action::None);
        assert_eq!(heartbeat.poll(15_000, false, 0), Action::Send);
        assert_eq!(heartbeat.poll(15_001, false, 0), Action::None);
        assert_eq!(heartbeat.next_due(15_001, false), Some(45_000));
        assert_eq!(heartbeat.poll(44_999, false, 0), Action::None);
        assert_eq!(heartbeat.poll(45_000, false, 0), Action::Close(Reason::HeartbeatTimeout));
    }

    #[test]
    fn any_byte_is_a_sign_of_life() {
        let mut heartbeat = heartbeat();
        heartbeat.on_receive(14_000);
        assert_eq!(heartbeat.poll(15_000, false, 0), Action::None);
        assert_eq!(heartbeat.poll(29_000, false, 0), Action::Send);
        heartbeat.on_receive(58_999);
        assert_eq!(heartbeat.poll(59_000, false, 0), Action::None);
        assert_eq!(heartbeat.next_due(59_000, false), Some(58_999 + 15_000));
    }

    #[test]
    fn a_peer_that_is_silent_while_calls_wait_is_stuck_sooner() {
        let mut heartbeat = heartbeat();
        assert_eq!(heartbeat.poll(9_999, true, 0), Action::None);
        assert_eq!(heartbeat.next_due(9_999, true), Some(10_000));
        assert_eq!(heartbeat.poll(10_000, true, 0), Action::Send);
        assert_eq!(heartbeat.poll(19_999, true, 0), Action::None);
        assert_eq!(heartbeat.poll(20_000, true, 0), Action::Close(Reason::Stuck));
    }

    #[test]
    fn a_call_to_a_long_silent_peer_gives_it_the_whole_time() {
        let mut heartbeat = heartbeat();
        assert_eq!(heartbeat.poll(15_000, false, 0), Action::Send);
        assert_eq!(heartbeat.poll(20_000, true, 20_000), Action::None);
        assert_eq!(heartbeat.poll(30_000, true, 20_000), Action::Send);
        assert_eq!(heartbeat.poll(39_999, true, 20_000), Action::None);
        assert_eq!(heartbeat.poll(40_000, true, 20_000), Action::Close(Reason::Stuck));
    }

    #[test]
    fn a_probe_for_calls_that_are_gone_does_not_count_for_later_ones() {
        let mut heartbeat = heartbeat();
        assert_eq!(heartbeat.poll(10_000, true, 0), Action::Send);
        assert_eq!(heartbeat.poll(12_000, false, 0), Action::None);
        assert_eq!(heartbeat.poll(20_000, true, 15_000), Action::None);
        assert_eq!(heartbeat.poll(25_000, true, 15_000), Action::Send);
        assert_eq!(heartbeat.poll(35_000, true, 15_000), Action::Close(Reason::Stuck));
    }

    #[test]
    fn what_is_off_does_nothing() {
        let off = |change: fn(&mut HeartbeatConfig)| {
            let mut config = HeartbeatConfig::default();
            change(&mut config);
            Heartbeat::new(config, 0)
        };
        for mut heartbeat in [off(|config| config.enabled = false), off(|config| config.interval = 0)] {
            assert_eq!(heartbeat.poll(u64::MAX, true, 0), Action::None);
            assert_eq!(heartbeat.next_due(0, true), None);
        }
        let mut never_stuck = off(|config| config.stuck_timeout = 0);
        assert_eq!(never_stuck.poll(14_000, true, 0), Action::None);
        let mut never_closes = off(|config| (config.timeout, config.stuck_timeout) = (0, 0));
        assert_eq!(never_closes.poll(15_000, false, 0), Action::Send);
        assert_eq!(never_closes.next_due(15_000, false), None);
    }
}
