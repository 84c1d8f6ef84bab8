//! The README's quickstarts are the text of programs that run, Rust's works in an empty crate; its links lead somewhere, one
//! of them to each example.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// In the line of a program behind which the README's text begins, after an empty line.
const MARKER: &str = "README: the text from here on.";

/// In the line of a program before which it ends; without one, the file's end is its own.
const END: &str = "README: the text up to here.";

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

/// The part of a program that the README shows, moved to the left: what lies between the markers, all of it without one.
fn shown(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let Some((_, rest)) = text.split_once(MARKER) else { return text };
    let (_, rest) = rest.split_once("\n\n").expect("the marker is followed by an empty line");
    let lines: Vec<&str> = rest.lines().take_while(|line| !line.contains(END)).collect();
    let indented = |line: &&str| line.len() - line.trim_start().len();
    let margin = lines.iter().filter(|line| !line.is_empty()).map(indented).min().unwrap_or_default();
    lines.iter().map(|line| format!("{}\n", line.get(margin..).unwrap_or_default())).collect()
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

/// The line before a block names its file: `<!-- examples/arith/client.py -->`. With `RPCX_BLESS` the blocks are written anew.
#[test]
fn every_program_in_the_readme_is_the_text_of_its_file() {
    let mut readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut languages = Vec::new();
    if std::env::var_os("RPCX_BLESS").is_some() {
        for (before, language, block) in programs(&readme.clone()) {
            let head = format!("{before}\n```{language}\n");
            let path = before.trim_start_matches("<!-- ").trim_end_matches(" -->");
            readme = readme.replace(&format!("{head}{block}```"), &format!("{head}{}```", shown(path)));
        }
        std::fs::write(root().join("README.md"), &readme).unwrap();
    }
    for (before, language, block) in programs(&readme) {
        let path = before.trim_start_matches("<!-- ").trim_end_matches(" -->");
        assert_ne!(path, before, "a block in {language} does not say of which file it is:\n{block}");
        assert_eq!(block, shown(path), "the README does not show {path} as it is");
        languages.push(language);
    }
    languages.dedup();
    assert_eq!(languages, ["rust", "python", "java", "ts", "cpp", "c"]);
}

/// The blocks of a page that are programs: the line before each, its language and its text.
fn programs(page: &str) -> Vec<(&str, &str, &str)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (language, after) = after.split_once('\n').expect("a block has a line after its language");
        // An empty block would end where it begins.
        let end = if after.starts_with("```") { 0 } else { after.find("\n```").expect("a block ends") + 1 };
        if !["sh", "toml"].contains(&language) {
            found.push((before.lines().next_back().unwrap_or_default(), language, &after[..end]));
        }
        rest = &after[end + 3..];
    }
    found
}

#[test]
fn every_link_leads_somewhere_and_every_example_is_linked() {
    for page in ["README.md", "CONTRIBUTING.md", "docs/guide/failures.md", "docs/guide/install.md"] {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        // What is between the fences of blocks is no Markdown: C++ has `](` too.
        let text: Vec<&str> = text.split("```").step_by(2).collect();
        let text = text.concat();
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
    // Of a workspace of its own: this folder lies in another. With the profile of that one: built otherwise, a dependency is
    // another one, and compiled anew.
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profile = workspace.find("[profile.dev]").expect("the workspace has a profile for tests");
    let profile = workspace[profile..].split("[profile.release]").next().unwrap_or_default();
    std::fs::write(folder.join("Cargo.toml"), format!("{found}\n[workspace]\n\n{profile}")).unwrap();
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for (name, text) in ["server", "client"].iter().zip(blocks("rust")) {
        std::fs::write(folder.join(format!("src/bin/{name}.rs")), text).unwrap();
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(&folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert_eq!(String::from_utf8_lossy(&built.stderr), "", "a new user sees no warning");
    check(&target.join("debug/server"), &target.join("debug/client"));
}
