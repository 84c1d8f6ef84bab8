//! The README's quickstart is the text of two programs that run, and works in an empty crate; its links lead somewhere, one
//! of them to each example.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The line of a quickstart program behind which the README's text begins.
const MARKER: &str = "// README: the text from here on.\n\n";

/// What both programs have in their text.
const PORT: u16 = 8972;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the examples are in the workspace").to_owned()
}

/// The contents of the README's code blocks in this language.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let begin = format!("```{language}\n");
    readme.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Ends a server with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the quickstart's server.
fn start(program: &Path) -> (Server, BufReader<ChildStdout>) {
    let mut child = Command::new(program).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    if !line.starts_with("listening on ") {
        let output = child.wait_with_output().unwrap();
        panic!("the server did not start: {}", String::from_utf8_lossy(&output.stderr));
    }
    (Server(child), lines)
}

/// The quickstart's port is fixed: one test at a time has it, of this checkout or another, and not before others let go of it.
fn the_port() -> File {
    // A file of another user's may not be opened.
    let user = std::env::var("USER").unwrap_or_default();
    let turn = File::create(std::env::temp_dir().join(format!("rpcx-quickstart-port-{user}"))).unwrap();
    eventually("it is this test's turn to use the quickstart's port", || turn.try_lock().is_ok());
    eventually("the quickstart's port is free", || TcpListener::bind(("127.0.0.1", PORT)).is_ok());
    turn
}

/// Waits until something is so that nobody signals.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check(server: &Path, client: &Path) {
    let _turn = the_port();
    let (server, mut lines) = start(server);
    let output = Command::new(client).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text, "6 x 7 = 42\n");
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("6 x 7 for 127.0.0.1:"), "{line}");
    drop(server);
}

#[test]
fn the_quickstart_is_that_of_the_readme() {
    let shown = blocks("rust");
    let programs = ["server", "client"].map(|name| {
        let path = root().join(format!("examples/quickstart/{name}.rs"));
        let text = std::fs::read_to_string(path).unwrap();
        text.split_once(MARKER).expect("the marker is there").1.to_owned()
    });
    assert_eq!(shown, programs);
}

#[test]
fn every_link_leads_somewhere_and_every_example_is_linked() {
    for page in ["README.md", "CONTRIBUTING.md", "docs/guide/failures.md"] {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let folder = path.parent().expect("a page is in a folder");
        let targets = text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap_or_default());
        for target in targets.filter(|target| !target.contains("://")) {
            assert!(folder.join(target).exists(), "{page}: nothing is at {target}");
        }
    }
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap();
        let name = folder.file_name().into_string().unwrap();
        if folder.path().join("main.rs").exists() && name != "demo" {
            assert!(readme.contains(&format!("](examples/{name}/main.rs)")), "the README does not lead to {name}");
        }
    }
}

#[test]
fn the_quickstart_runs() {
    check(env!("CARGO_BIN_EXE_quickstart-server").as_ref(), env!("CARGO_BIN_EXE_quickstart-client").as_ref());
}

/// As a new user does it, but for the dependencies: those of this build serve here too.
#[test]
fn the_quickstart_works_in_an_empty_crate() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (folder, target) = (scratch.join("hello-rpcx"), scratch.parent().expect("it is in the target folder"));
    std::fs::create_dir_all(folder.join("src/bin")).unwrap();
    let [manifest] = <[String; 1]>::try_from(blocks("toml")).expect("the README has one manifest");
    let core = root().join("core");
    let found = manifest.replace("../librpcx/core", core.to_str().unwrap());
    assert_ne!(found, manifest, "the README's path to the library has changed");
    // Of a workspace of its own: this folder lies in another.
    std::fs::write(folder.join("Cargo.toml"), found + "\n[workspace]\n").unwrap();
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for (name, text) in ["server", "client"].iter().zip(blocks("rust")) {
        std::fs::write(folder.join(format!("src/bin/{name}.rs")), text).unwrap();
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(&folder)
        .env_remove("RUSTFLAGS")
        // As in the workspace: built otherwise, a dependency is another one.
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert_eq!(String::from_utf8_lossy(&built.stderr), "", "a new user sees no warning");
    check(&target.join("debug/server"), &target.join("debug/client"));
}
