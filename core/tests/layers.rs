//! Holds the order of the modules: who may use whom, and which are pure.
//!
//! Reads every `crate::…` path and every `super::…` path that leaves its module, in code and in unit tests, and
//! compares it with [`LAYERS`]. What the compiler already holds between crates is not looked at.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Each module of `core/src` and those it uses directly; through them it may use what they use. An arrow never runs
/// back.
const LAYERS: &[(&str, &[&str])] = &[
    ("future", &[]),
    ("random", &[]),
    ("nanoseconds", &[]),
    ("striped", &[]),
    ("error", &[]),
    ("config", &[]),
    ("stats", &[]),
    ("codec", &[]),
    ("transport", &[]),
    ("shard", &[]),
    ("resilience", &[]),
    ("interceptor", &[]),
    ("discovery", &[]),
    ("balance", &["discovery"]),
    ("connection", &["transport", "shard"]),
    ("client", &["connection", "balance", "resilience", "discovery", "interceptor", "codec"]),
    ("server", &["connection", "discovery", "interceptor", "codec"]),
    ("gateway", &["server", "client"]),
    ("stream", &["server", "client"]),
];

/// What every module may use; among themselves they have the order they stand in.
const GROUND: &[&str] = &["future", "random", "nanoseconds", "striped", "error", "config", "stats"];

/// Modules without sockets, tasks, threads or a clock: time is an argument. Their unit tests are free.
const PURE: &[&str] = &["balance", "resilience"];
const IMPURE: &[&str] = &["tokio", "std::net", "std::thread", "Instant::now", "SystemTime::now"];

#[test]
fn modules_use_only_what_is_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut offences = String::new();
    let mut files = 0;
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).expect("a file below src");
        let first = relative.components().next().expect("a name").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        if !LAYERS.iter().any(|(known, _)| *known == module) {
            writeln!(offences, "{}: module `{module}` is not in LAYERS", relative.display()).unwrap();
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&file).expect("read a source file");
        for (line, used) in uses(&text) {
            if used != module && !may_use(module, &used) {
                writeln!(offences, "core/src/{}:{line}: `{module}` uses `{used}`", relative.display()).unwrap();
            }
        }
    }
    assert!(files > 20, "only {files} source files found");
    assert!(
        offences.is_empty(),
        "a module uses one that is not below it; see LAYERS in core/tests/layers.rs\n{offences}"
    );
}

#[test]
fn pure_modules_have_no_sockets_tasks_or_clock() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = PURE.iter().map(|module| core.join("src").join(module)).chain([core.join("protocol/src")]);
    let mut offences = String::new();
    for file in folders.flat_map(|folder| rust_files(&folder)) {
        if file.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("read a source file");
        for (line, code) in code_lines(&text).take_while(|(_, code)| code.trim() != "#[cfg(test)]") {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                writeln!(offences, "{}:{line}: {word}", file.display()).unwrap();
            }
        }
    }
    assert!(offences.is_empty(), "these modules take time as an argument and do no I/O\n{offences}");
}

#[test]
fn the_table_has_no_circle_and_ends_in_itself() {
    for (module, direct) in LAYERS {
        assert!(direct.iter().all(|below| LAYERS.iter().any(|(known, _)| known == below)), "{module}");
        assert!(direct.iter().all(|below| !may_use(below, module)), "{module} is in a circle");
    }
    assert!(may_use("client", "transport") && may_use("gateway", "codec") && may_use("stats", "error"));
    for (module, used) in [("connection", "client"), ("error", "config"), ("transport", "shard"), ("server", "client")]
    {
        assert!(!may_use(module, used), "{module} must not use {used}");
    }
}

#[test]
fn paths_are_found_where_they_stand() {
    let text = "use crate::client::Client;\n// crate::comment\nuse crate::{\n    error::{Error, Result},\n    stats,\n};\n\
                fn f() -> super::super::server::X { crate::shard::go() } // crate::late\n\
                macro_rules! m { () => { $crate::config::x() } }\nuse super::tests::here;\n";
    let found = uses(text);
    let found: Vec<_> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
    let expected = [(1, "client"), (4, "error"), (5, "stats"), (7, "server"), (7, "shard"), (8, "config")];
    assert_eq!(found, expected);
}

fn may_use(module: &str, used: &str) -> bool {
    let place = |name: &str| GROUND.iter().position(|ground| *ground == name);
    match (place(module), place(used)) {
        (Some(above), Some(below)) => return below < above,
        (None, Some(_)) => return true,
        (Some(_), None) => return false,
        (None, None) => {}
    }
    let direct = LAYERS.iter().find(|(known, _)| *known == module).map_or(&[][..], |(_, direct)| direct);
    direct.contains(&used) || direct.iter().any(|below| may_use(below, used))
}

/// Every `.rs` file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("read a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of a file with their numbers, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

/// The top-level modules that a file names, by line. A name that `lib.rs` exports is returned like a module and found
/// in no layer: the crate's own code names the module.
fn uses(text: &str) -> Vec<(usize, String)> {
    let code = code_lines(text).map(|(_, code)| code).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let start = at + path.len();
        if code[start..].starts_with('{') {
            group(&code[start..], start, &mut found);
        } else {
            found.push((start, name_at(&code[start..])));
        }
    }
    // A submodule may have a top-level module's name; only two steps up are surely out of a module's folder.
    for (at, path) in code.match_indices("super::super::") {
        let name = name_at(&code[at + path.len()..]);
        if LAYERS.iter().any(|(known, _)| *known == name) {
            found.push((at, name));
        }
    }
    found.sort();
    found.into_iter().map(|(at, name)| (code[..at].matches('\n').count() + 1, name)).collect()
}

/// The names at the first depth of `{a::B, c::{D, E}}`.
fn group(text: &str, offset: usize, found: &mut Vec<(usize, String)>) {
    let (mut depth, mut begins) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '{' => {
                depth += 1;
                begins = depth == 1;
            }
            '}' if depth == 1 => return,
            '}' => depth -= 1,
            ',' => begins = depth == 1,
            c if begins && !c.is_whitespace() => {
                found.push((offset + at, name_at(&text[at..])));
                begins = false;
            }
            _ => {}
        }
    }
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
