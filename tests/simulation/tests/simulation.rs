//! What must come out of the simulations.

use rpcx::resilience::{BreakerRules, BudgetRules, EjectionRules};
use rpcx_simulation::{ejection, hashing, partition, storm};

fn share(seconds: &[storm::Second], of: fn(&storm::Second) -> u64) -> f64 {
    let sum = |figure: fn(&storm::Second) -> u64| seconds.iter().map(figure).sum::<u64>() as f64;
    sum(of) / sum(|second| second.calls)
}

#[test]
fn a_retry_budget_ends_a_storm_that_would_not_end_by_itself() {
    let (with, without) = (storm::run(BudgetRules::default()), storm::run(storm::unlimited()));
    for seconds in [&with, &without] {
        let before = &seconds[1..storm::TROUBLE.0 as usize];
        assert!(share(before, |second| second.answered) > 0.99, "all was well");
        assert!(share(before, |second| second.attempts) < 1.01);
    }
    // A fifth, and one a second for each client, whose calls are ten.
    for window in with.windows(10) {
        assert!(share(window, |second| second.attempts) < 1.31, "{window:?}");
    }
    let (after, end) = (storm::TROUBLE.1 as usize + 10, storm::SECONDS as usize);
    assert!(share(&with[after..end], |second| second.answered) > 0.99, "{:?}", &with[after..]);
    assert!(share(&without[after..end], |second| second.answered) < 0.5, "{:?}", &without[after..]);
    assert!(share(&without[after..end], |second| second.attempts) > 3.0);
}

#[test]
fn ejection_takes_the_bad_servers_out_and_brings_them_back() {
    let rules = EjectionRules::default();
    let (with, without) = (ejection::run(Some(rules)), ejection::run(None));
    let (begin, end) = (ejection::TROUBLE.0 as usize, ejection::TROUBLE.1 as usize);
    let bad = ejection::bad();
    assert!(with.iter().all(|second| second.good_out == 0), "no good server is taken out");
    assert!(with.iter().all(|second| second.bad_out as f64 <= ejection::SERVERS as f64 * rules.max_share));
    let quiet = &with[begin + 2..begin + 10];
    assert!(quiet.iter().all(|second| second.bad_out * 100 >= bad * 95), "{quiet:?}");
    let average =
        |seconds: &[ejection::Second]| seconds.iter().map(|second| second.failed).sum::<f64>() / seconds.len() as f64;
    let (trouble, helped) = (average(&without[begin..end]), average(&with[begin + 2..end]));
    assert!(trouble > 0.015 && helped < trouble / 5.0, "{trouble} {helped}");
    let p99 = |seconds: &[ejection::Second]| seconds.iter().map(|second| second.p99_ms).fold(0.0, f64::max);
    assert!(p99(quiet) < p99(&without[begin + 2..begin + 10]) / 2.0);
    assert_eq!(with.last().expect("seconds").bad_out, 0, "all are back");
}

#[test]
fn a_share_of_the_servers_stays_whatever_happens() {
    let rules = EjectionRules { max_share: 0.02, ..EjectionRules::default() };
    let seconds = ejection::run(Some(rules));
    assert!(seconds.iter().all(|second| second.bad_out + second.good_out <= ejection::SERVERS / 50));
    assert!(seconds.iter().any(|second| second.bad_out == ejection::SERVERS / 50));
}

#[test]
fn breakers_keep_calls_on_this_side_of_a_partition() {
    let (with, without) = (partition::run(Some(BreakerRules::default())), partition::run(None));
    let (begin, end) = (partition::TROUBLE.0 as usize, partition::TROUBLE.1 as usize);
    let cut = &with[begin + 2..end];
    let sum = |figure: fn(&partition::Second) -> u64| cut.iter().map(figure).sum::<u64>();
    // Breakers that opened together probe together: then a call may meet four of them in a row.
    assert!(sum(|second| second.failed) * 50_000 < sum(|second| second.attempts), "{cut:?}");
    assert!(sum(|second| second.beyond) * 30 < sum(|second| second.attempts), "only probes: {cut:?}");
    assert!(without[begin..end].iter().all(|second| second.failed > 0 && second.beyond * 3 > second.attempts));
    let after = &with[end + 8..];
    assert!(after.iter().all(|second| second.open == 0), "{after:?}");
    assert!(after.iter().all(|second| second.beyond * 100 > second.attempts * 38), "two fifths of the calls are back");
}

#[test]
fn a_leaving_server_moves_its_own_keys_and_few_more_than_its_share() {
    for (count, leaves) in [(10, 10), (100, 50), (1_000, 4)] {
        let moved = hashing::moved(count, leaves);
        assert!(moved.iter().all(|share| *share <= 1.3), "{count} servers: {moved:?}");
    }
}
