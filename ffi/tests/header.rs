//! `include/rpcx.h` is what the sources say, every item of it documented.
//!
//! `RPCX_BLESS=1 cargo test -p librpcx-ffi --test header` writes it anew. cbindgen translates the items; here they are put
//! into the order of the modules, each module under its first line as heading, between `preamble.h` and `epilogue.h`.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One declaration with its comment.
#[derive(Debug)]
struct Item {
    name: String,
    text: String,
    is_opaque: bool,
}

/// What cbindgen makes of the crate, item by item.
fn items() -> Vec<Item> {
    let config = cbindgen::Config::from_file(folder().join("cbindgen.toml")).expect("cbindgen.toml");
    let mut translated = Vec::new();
    cbindgen::Builder::new()
        .with_crate(folder())
        .with_config(config)
        .generate()
        .expect("cbindgen")
        .write(&mut translated);
    let text = String::from_utf8(translated).expect("UTF-8");
    let text = text.replace("struct rpcx_", "rpcx_").replace("typedef rpcx_", "typedef struct rpcx_");
    let mut items = Vec::new();
    let mut current = String::new();
    let (mut depth, mut in_comment) = (0, false);
    for line in text.lines() {
        if current.is_empty() && (line.is_empty() || (line.starts_with('#') && !line.starts_with("#define"))) {
            continue;
        }
        writeln!(current, "{line}").expect("to a string");
        in_comment |= line.trim_start().starts_with("/*");
        if in_comment {
            in_comment = !line.ends_with("*/");
            continue;
        }
        depth += line.matches('{').count();
        depth -= line.matches('}').count();
        if depth == 0 && (line.ends_with(';') || line.starts_with("#define")) {
            items.push(item(std::mem::take(&mut current)));
        }
    }
    items
}

fn item(text: String) -> Item {
    let code = text.split_once("*/").map_or(text.as_str(), |(_, code)| code).trim();
    let names = |word: &&str| word.starts_with("rpcx_") || word.starts_with("RPCX_");
    let mut words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(names);
    let is_function = code.contains('(') && !code.starts_with("typedef");
    let name = if is_function {
        let head = code.split('(').next().unwrap_or_default();
        head.split(|letter: char| !letter.is_alphanumeric() && letter != '_').rfind(names)
    } else {
        words.next()
    };
    let name = name.unwrap_or_else(|| panic!("no name in:\n{text}")).to_owned();
    let is_opaque = code.starts_with("typedef") && !code.contains('{');
    Item { name, text: tidy(&text), is_opaque }
}

/// Makes it what a person would have written: a comment of one line on one line, a function on as few as it needs.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (line, rest) = (lines[at], &lines[at + 1..]);
        let short = rest.first().map_or(0, |line| line.len()) <= WIDTH - "/** */".len();
        if line.trim_start() == "/**" && rest.len() > 1 && rest[1].trim() == "*/" && short {
            let comment = rest[0].trim().trim_start_matches('*').trim();
            let indent = &line[..line.len() - 3];
            out.push(format!("{indent}/** {comment} */"));
            at += 3;
        } else if line.starts_with("RPCX_MUST_USE")
            || (line.starts_with(|letter: char| letter.is_alphabetic()) && line.contains('('))
        {
            out.extend(function(&lines[at..].join(" ")));
            break;
        } else {
            out.push(line.to_owned());
            at += 1;
        }
    }
    without_marks(&out.join("\n"))
}

/// Names of the header need no backticks in it.
fn without_marks(text: &str) -> String {
    let mut parts = text.split('`');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(word) = parts.next() {
        let mark = if word.starts_with("rpcx_") || word.starts_with("RPCX_") { "" } else { "`" };
        write!(out, "{mark}{word}{mark}{}", parts.next().unwrap_or_default()).expect("to a string");
    }
    out
}

const WIDTH: usize = 120;

/// A function's declaration: on one line, or its arguments on the lines that follow.
fn function(code: &str) -> Vec<String> {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = vec![String::new()];
    for part in code.split_inclusive(", ") {
        let line = lines.last_mut().expect("one");
        if line.len() + part.trim_end().len() > WIDTH {
            line.truncate(line.trim_end().len());
            lines.push(format!("    {part}"));
        } else {
            line.push_str(part);
        }
    }
    lines
}

/// The modules in the order of the header: what others are made of comes first.
const ORDER: [&str; 21] = [
    "version",
    "bytes",
    "error",
    "metadata",
    "config",
    "runtime",
    "logs",
    "reply",
    "completion",
    "queue",
    "client",
    "method",
    "batch",
    "context",
    "push",
    "server",
    "handler",
    "request",
    "connection",
    "auth",
    "interceptor",
];

/// The modules: heading, and the names of their items in the order of the source.
fn modules() -> Vec<(String, Vec<String>)> {
    let mut sections = Vec::new();
    for module in ORDER {
        let source = read(&folder().join(format!("src/{module}.rs")));
        let heading = source.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default().to_owned();
        let starts = ["pub unsafe extern \"C\" fn ", "pub extern \"C\" fn ", "pub struct ", "pub const "];
        let name = |line: &str| {
            let rest = starts.iter().find_map(|start| line.strip_prefix(start))?;
            rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
        };
        sections.push((heading, source.lines().filter_map(name).collect()));
    }
    sections
}

fn header() -> String {
    let mut items: HashMap<String, Item> = items().into_iter().map(|item| (item.name.clone(), item)).collect();
    let mut handles = String::new();
    let mut structs = String::new();
    let mut sections = String::new();
    for (heading, names) in modules() {
        let mut section = String::new();
        let mut family = None;
        for name in names {
            let Some(mut item) = items.remove(&name) else { continue };
            // A struct is named before it is described: functions that stand earlier take it too.
            let (head, tail) = (format!("typedef struct {name} {{"), format!("}} {name};"));
            if item.text.contains(&head) {
                item.text = item.text.replace(&head, &format!("struct {name} {{")).replace(&tail, "};");
                writeln!(structs, "typedef struct {name} {name};").expect("to a string");
            }
            let target = if item.is_opaque { &mut handles } else { &mut section };
            // Constants that belong together stand together.
            let of = item.text.contains("\n#define").then(|| name.splitn(3, '_').take(2).collect::<String>());
            let gap = if of.is_some() && of == family { "" } else { "\n" };
            writeln!(target, "{gap}{}", item.text).expect("to a string");
            family = of;
        }
        if !section.is_empty() {
            write!(sections, "\n/* ---- {heading} ---- */\n{section}").expect("to a string");
        }
    }
    assert!(items.is_empty(), "in no module: {:?}", items.keys());
    let preamble = read(&folder().join("src/preamble.h"));
    let epilogue = read(&folder().join("src/epilogue.h"));
    format!(
        "{preamble}\n/* ---- Handles ---- */\n{handles}\n\
         /* ---- Structs, described where they are used ---- */\n\n{structs}{sections}{epilogue}"
    )
}

#[test]
fn the_header_is_current() {
    let file = folder().join("../include/rpcx.h");
    let expected = header();
    if std::env::var_os("RPCX_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("create the folder");
        std::fs::write(&file, expected).expect("write the header");
        return;
    }
    let actual = std::fs::read_to_string(&file).unwrap_or_default();
    let differing = actual.lines().zip(expected.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or(actual.lines().count().min(expected.lines().count()));
    assert!(
        actual == expected,
        "include/rpcx.h differs from ffi/src at line {}:\n  header:  {}\n  sources: {}\n\
         RPCX_BLESS=1 cargo test -p librpcx-ffi --test header writes it anew",
        line + 1,
        actual.lines().nth(line).unwrap_or("(end)"),
        expected.lines().nth(line).unwrap_or("(end)"),
    );
}

/// Functions, structs, constants and the fields of structs: a comment stands before each.
#[test]
fn every_item_is_documented() {
    let mut missing = Vec::new();
    for item in items() {
        if !item.text.starts_with("/**") {
            missing.push(item.name.clone());
        }
        let code = item.text.split_once("*/").map_or("", |(_, code)| code);
        let Some((_, body)) = code.split_once('{') else { continue };
        let mut documented = false;
        let mut in_comment = false;
        for line in body.lines().map(str::trim) {
            in_comment |= line.starts_with("/*");
            if in_comment {
                in_comment = !line.ends_with("*/");
                documented = true;
            } else if line.ends_with(';') && !line.starts_with('}') {
                if !documented {
                    missing.push(format!("{}: {line}", item.name));
                }
                documented = false;
            }
        }
    }
    assert!(missing.is_empty(), "without a comment: {missing:#?}");
}
