//! Every example and the demo run to their end.

use std::path::Path;
use std::process::Command;

/// Where the built examples are.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_arith-server")).parent().expect("a program is in a folder")
}

#[test]
fn every_example_runs_to_its_end() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("run-all");
    let output = Command::new("sh").arg(script).arg(programs()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("10 x 20 = 200"), "{text}");
}

#[test]
fn the_demo_finds_everything_as_expected() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for heading in [
        "Calls of every kind",
        "Bursts",
        "Failover:",
        "Circuit breaker:",
        "The servers as",
        "Statistics of the servers",
        "OK: all",
    ] {
        assert!(text.contains(heading), "{heading}: {text}");
    }
}

#[test]
fn the_demo_says_when_it_could_not_run_and_exits_with_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).arg("steady").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.contains("FAILED: "), "{text}");
}
