//! A network of a test's own.

use crate::process::guarded;

/// Says that the test is in it already.
const INSIDE: &str = "RPCX_TEST_NETWORK";

/// The interface of the network: 10.99.0.1, on which multicast is heard. What it is connected to is `v1`.
const SETUP: &str = "ip link set lo up; ip link add v0 type veth peer name v1; ip addr add 10.99.0.1/24 dev v0; \
                     ip link set v0 up; ip link set v1 up multicast off; exec \"$@\"";

/// Runs a test in a network namespace where nobody else is, in a process of its own: `test` is its whole name. Needs root, or a
/// system on which everybody may have such a namespace.
///
/// # Panics
/// When the test fails, or there is no such namespace to be had.
pub fn apart(test: &str, run: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return run();
    }
    // The harness knows it without the name of its crate.
    let (_, name) = test.split_once("::").unwrap_or(("", test));
    let root = std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
    let output = guarded("unshare")
        .args(if root { &["--net"][..] } else { &["--net", "--map-root-user"] })
        .args(["sh", "-ec", SETUP, "sh"])
        .arg(std::env::current_exe().expect("this program"))
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    println!("{text}");
    assert!(output.status.success(), "it fails in a network of its own");
    assert!(text.contains("1 passed"), "there is no test {name}");
}
