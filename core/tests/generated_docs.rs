//! `docs/CONFIGURATION.md`, `docs/ERRORS.md`, `docs/METRICS.md` and `tests/vectors/errors.json` are what the tables in the code say.
//!
//! `RPCX_BLESS=1 cargo test -p librpcx --test generated_docs` writes them anew. `docs/guide/failures.md` is written by hand
//! and agrees with them.

use rpcx::config::{
    CallOptions, ClientOptions, DiscoveryOptions, FailMode, InFlightPolicy, LimitPolicy, OptionRow, PushOverflow,
    RegistryOptions, SelectMode, ServerOptions,
};
use rpcx::error::{Delivery, ErrorKind, Reason, Retry};
use rpcx::stats::METRICS;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

const NOTE: &str = "<!-- Generated from the code: RPCX_BLESS=1 cargo test -p librpcx --test generated_docs -->";

#[test]
fn configuration_md_is_current() {
    compare("docs/CONFIGURATION.md", &configuration());
}

#[test]
fn errors_md_is_current() {
    compare("docs/ERRORS.md", &errors());
}

#[test]
fn metrics_md_is_current() {
    compare("docs/METRICS.md", &metrics());
}

#[test]
fn errors_json_is_current() {
    compare("tests/vectors/errors.json", &errors_json());
}

/// Compares a file of the repository with what it should be, or writes it.
fn compare(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("RPCX_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("create the folder");
        std::fs::write(&file, expected).expect("write the file");
        return;
    }
    let actual = std::fs::read_to_string(&file).unwrap_or_default();
    let differing = actual.lines().zip(expected.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or(actual.lines().count().min(expected.lines().count()));
    assert!(
        actual == expected,
        "{path} differs from the tables at line {}:\n  file:   {}\n  tables: {}\n\
         RPCX_BLESS=1 cargo test -p librpcx --test generated_docs writes it anew",
        line + 1,
        actual.lines().nth(line).unwrap_or("(end)"),
        expected.lines().nth(line).unwrap_or("(end)"),
    );
}

#[test]
fn failures_md_agrees_with_the_tables() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/failures.md")).unwrap();
    let options = [
        ClientOptions::rows(),
        CallOptions::rows(),
        ServerOptions::rows(),
        DiscoveryOptions::rows(),
        RegistryOptions::rows(),
    ]
    .concat();
    let mut defaults = 0;
    let mut parts = text.split('`');
    parts.next();
    // In turn what is between backticks, and what follows.
    while let (Some(word), Some(after)) = (parts.next(), parts.next()) {
        if !word.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte)) {
            continue;
        }
        let mut rows = options.iter().filter(|row| row.name == word).peekable();
        let is_group = options.iter().any(|row| row.name.starts_with(&format!("{word}.")));
        assert!(rows.peek().is_some() || is_group || is_word_of_the_tables(word), "`{word}` is nowhere in the tables");
        if let Some((default, _)) = after.strip_prefix(" (").and_then(|rest| rest.split_once([')', ',']))
            && rows.peek().is_some()
        {
            assert!(rows.any(|row| row.default == default), "`{word}` is not {default} by default");
            defaults += 1;
        }
    }
    assert!(defaults > 10, "{defaults} defaults are told");
    let lines = text.lines().filter(|line| line.starts_with("| ") && !line.contains("the call gets |"));
    assert!(lines.map(check_failure).count() > 25);
}

/// A fail mode, select mode or policy, or what an error has.
fn is_word_of_the_tables(word: &str) -> bool {
    FailMode::ALL.iter().any(|mode| mode.as_str() == word)
        || SelectMode::ALL.iter().any(|mode| mode.as_str() == word)
        || InFlightPolicy::ALL.iter().any(|policy| policy.as_str() == word)
        || Delivery::ALL.iter().any(|delivery| delivery.as_str() == word)
        || Reason::ALL.iter().any(|reason| reason.as_str() == word)
}

/// Reasons, delivery states and "tried again" of a line fit together.
fn check_failure(line: &str) {
    let cells: Vec<&str> = line.split(" | ").collect();
    let [_, gets, again, ..] = cells[..] else { panic!("a line of four cells: {line}") };
    let words: Vec<&str> = gets.split('`').skip(1).step_by(2).collect();
    let reasons: Vec<&Reason> = Reason::ALL.iter().filter(|reason| words.contains(&reason.as_str())).collect();
    let deliveries: Vec<&Delivery> = Delivery::ALL.iter().filter(|state| words.contains(&state.as_str())).collect();
    assert_eq!(reasons.is_empty(), deliveries.is_empty(), "a reason has a delivery state: {line}");
    for reason in &reasons {
        assert!(deliveries.iter().any(|state| reason.deliveries().contains(state)), "{reason}: {line}");
        let may_run = deliveries.contains(&&Delivery::MaybeRun);
        let expected = match reason.retry() {
            Retry::Never => "no",
            Retry::ByDelivery if may_run => "if idempotent",
            Retry::ByDelivery => "yes",
        };
        assert_eq!(again, expected, "{reason}: {line}");
    }
}

fn configuration() -> String {
    let mut out = format!(
        "# Configuration\n\n{NOTE}\n\n\
         Every option has one name in every language, on the command line and in configuration files. Where a value is\n\
         text, durations are `500ms`, `15s`, `2m`, `1h` (a bare number: milliseconds; also `us`, `ns`, `d`), sizes `64MiB`,\n\
         `16KiB`, `1GiB` (a bare number: bytes), booleans `true` or `false`, choices their snake_case name, and lists are\n\
         separated by commas. Empty text unsets an option that has no default. In files a group may be a map of its own:\n\
         `{{\"tls\": {{\"ca\": \"ca.pem\"}}}}` is `tls.ca`.\n\n\
         Options of a call are *live*: each call may set its own. Those of a client or server take effect at its *start*. A name that is not known, a value out of its range and options that contradict\n\
         each other are errors of kind `config` that name the option and what it allows.\n"
    );
    let scopes = [
        ("Client", "What a client does unless a call says otherwise.", ClientOptions::rows()),
        ("Call", "What one call wants otherwise. Left out, it is as the client has it.", CallOptions::rows()),
        ("Server", "What a server allows and how long it waits.", ServerOptions::rows()),
        (
            "Discovery",
            "How a discovery behaves whose source may be out of reach. In a URL they follow the `?`: \
             `dns://example.org:8972?empty_hold=30s`.",
            DiscoveryOptions::rows(),
        ),
        (
            "Registry",
            "How a server is kept in a registry. In a URL they follow the `?`, beside those of a discovery, so that servers and \
             clients can use the same one: `etcd://10.0.0.1:2379/rpcx?update_interval=10s`.",
            RegistryOptions::rows(),
        ),
    ];
    for (title, intro, rows) in scopes {
        write!(out, "\n## {title} options\n\n{intro}\n\n").unwrap();
        out.push_str("| option | type | default | allowed | takes effect | meaning |\n|---|---|---|---|---|---|\n");
        rows.iter().for_each(|row| option_row(&mut out, row));
    }
    out.push_str("\n## Choices\n");
    choices(&mut out, "fail_mode", FailMode::ALL.iter().map(|v| (v.as_str(), v.meaning())));
    choices(&mut out, "select_mode", SelectMode::ALL.iter().map(|v| (v.as_str(), v.meaning())));
    choices(&mut out, "push_overflow", PushOverflow::ALL.iter().map(|v| (v.as_str(), v.meaning())));
    let limit_policies = LimitPolicy::ALL.iter().map(|v| (v.as_str(), v.meaning()));
    choices(&mut out, "rate_limit.connection_policy` and `rate_limit.request_policy", limit_policies);
    choices(&mut out, "in_flight_policy", InFlightPolicy::ALL.iter().map(|v| (v.as_str(), v.meaning())));
    out
}

fn option_row(out: &mut String, row: &OptionRow) {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let allowed = if row.type_name == "choice" { code(&row.range.replace(", ", "` `")) } else { row.range.clone() };
    let cells = [&code(row.name), row.type_name, &code(&row.default), &allowed, row.takes.as_str(), &row.doc];
    table_row(out, &cells);
}

fn choices<'a>(out: &mut String, option: &str, values: impl Iterator<Item = (&'a str, &'a str)>) {
    write!(out, "\n`{option}`:\n\n| value | meaning |\n|---|---|\n").unwrap();
    for (name, meaning) in values {
        table_row(out, &[&format!("`{name}`"), meaning]);
    }
}

fn metrics() -> String {
    let mut out = format!(
        "# Metrics\n\n{NOTE}\n\n\
         `server.stats().render()` and `client.stats().render()` give the statistics in Prometheus' text exposition format;\n\
         `stats::Exposition` puts those of several clients and servers of a process together and tells them apart by the label\n\
         `name`. With the feature `metrics-listener`, `stats::MetricsListener` serves them over HTTP on `/metrics`; for one\n\
         client or server the option `metrics_address` does.\n\n\
         Names and labels never change their meaning. Counters begin at 0 with the client or server. `kind` and `reason` are\n\
         those of [ERRORS.md](ERRORS.md). Names of more than 4,096 methods are counted together as service and method `*`.\n\n\
         The buckets of histograms reach to 50, 100, 250 and 500 µs, 1, 2.5, 5, 10, 25, 50, 100, 250 and 500 ms, 1, 2.5, 5 and\n\
         10 s, at most 1.6 % off; a sum is as exact as the average of the statistics.\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n"
    );
    for row in METRICS {
        let labels: Vec<_> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        table_row(&mut out, &[&format!("`{}`", row.name), row.kind, &labels.join(", "), row.help]);
    }
    out
}

fn errors() -> String {
    let mut out = format!(
        "# Errors\n\n{NOTE}\n\n\
         Every failure, in every language, has a *kind* with a number that never changes, a *reason* within the kind, a\n\
         *delivery state*, and a text for people. Beside them stand the number of attempts, the server of the last one, and\n\
         the cause, where there are any. Programs decide by kind, reason and delivery state; the text may change.\n\n\
         ## Kinds\n\n\
         *Sent* kinds are told by a server of this library to a client of this library, with their number; from any other\n\
         server, Go's rpcx included, they arrive as `service` with their text.\n\n\
         | number | kind | meaning | sent | retried |\n|--:|---|---|---|---|\n"
    );
    for kind in ErrorKind::ALL {
        let retried = match retry_of_kind(*kind) {
            "never" => "no",
            "by_delivery" => "by delivery state",
            _ => "by reason",
        };
        let sent = if kind.travels() { "yes" } else { "" };
        let name = format!("`{kind}`");
        table_row(&mut out, &[&kind.code().to_string(), &name, kind.meaning(), sent, retried]);
    }
    out.push_str("\n## Delivery states\n\n| state | meaning |\n|---|---|\n");
    for delivery in Delivery::ALL {
        table_row(&mut out, &[&format!("`{delivery}`"), delivery.meaning()]);
    }
    out.push_str(
        "\n## Retries\n\n\
         Where a reason may be retried, the delivery state decides, and the fail mode says where to: `failover` another\n\
         server, `failtry` the same one, `failfast` none. `retries`, the retry budget and the deadline bound them all.\n\n\
         | delivery state | retried |\n|---|---|\n\
         | `not_sent` | always |\n\
         | `maybe_run` | calls marked `idempotent`, or with `retry_maybe_run` |\n\
         | `answered` | when the server says that it started no handler |\n\n\
         ## Reasons\n",
    );
    for kind in ErrorKind::ALL {
        write!(out, "\n### {} `{kind}`\n\n{}\n\n", kind.code(), kind.meaning()).unwrap();
        out.push_str("| reason | meaning | delivery | retried | what to do |\n|---|---|---|---|---|\n");
        for reason in Reason::ALL.iter().filter(|reason| reason.kind() == *kind) {
            let states: Vec<_> = reason.deliveries().iter().map(|state| format!("`{state}`")).collect();
            let retried = match reason.retry() {
                Retry::Never => "no",
                Retry::ByDelivery => "by delivery state",
            };
            let name = format!("`{reason}`");
            table_row(&mut out, &[&name, reason.meaning(), &states.join(", "), retried, reason.advice()]);
        }
    }
    out
}

fn table_row(out: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(out, "| {} |", cells.join(" | ")).unwrap();
}

/// The rule that all reasons of a kind share, or that they differ.
fn retry_of_kind(kind: ErrorKind) -> &'static str {
    let mut rules = Reason::ALL.iter().filter(|reason| reason.kind() == kind).map(|reason| reason.retry().as_str());
    let first = rules.next().expect("every kind has a reason");
    if rules.all(|rule| rule == first) { first } else { "by_reason" }
}

fn errors_json() -> String {
    let kinds = ErrorKind::ALL.iter().map(|kind| {
        json!({"code": kind.code(), "kind": kind.as_str(), "retry": retry_of_kind(*kind), "sent": kind.travels()})
    });
    let reasons = Reason::ALL.iter().map(|reason| {
        let deliveries: Vec<_> = reason.deliveries().iter().map(|state| state.as_str()).collect();
        json!({
            "code": reason.kind().code(),
            "deliveries": deliveries,
            "kind": reason.kind().as_str(),
            "reason": reason.as_str(),
            "retry": reason.retry().as_str(),
        })
    });
    let deliveries = Delivery::ALL.iter().map(|state| json!(state.as_str()));
    let mut out = String::from("{\n");
    let lists: [(&str, Vec<Value>); 3] =
        [("kinds", kinds.collect()), ("deliveries", deliveries.collect()), ("reasons", reasons.collect())];
    // A line an entry: a change of the table is then a change of a line.
    for (i, (name, entries)) in lists.iter().enumerate() {
        let lines: Vec<_> = entries.iter().map(|entry| format!("    {entry}")).collect();
        let comma = if i + 1 < lists.len() { "," } else { "" };
        write!(out, "  \"{name}\": [\n{}\n  ]{comma}\n", lines.join(",\n")).unwrap();
    }
    out.push_str("}\n");
    out
}
