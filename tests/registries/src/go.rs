//! Go programs that use the same registry, built from `tests/registries/go`.

use crate::process::Talker;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// Starts the program of a registry with these arguments; builds it first.
///
/// # Panics
/// When it cannot be built.
pub fn start(registry: &str, arguments: &[&str]) -> Talker {
    static BUILT: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let program = {
        let mut built = BUILT.lock().expect("no build has panicked");
        built.get_or_insert_default().entry(registry.to_owned()).or_insert_with(|| build(registry)).clone()
    };
    Talker::start(&program, &arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

fn build(registry: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("../../target/go").join(format!("registries-{registry}"));
    let status = Command::new("go")
        .args(["build", "-C"])
        .arg(root.join("go").join(registry))
        .arg("-o")
        .arg(&program)
        .arg(".")
        .env("CGO_ENABLED", "0")
        .status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "go build of the {registry} peer: {status:?}");
    program.display().to_string()
}
