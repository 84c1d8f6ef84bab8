//! Tests of the option tables: names, defaults, set, get, serde and validation.

use super::*;
use crate::error::{ErrorKind, Reason};
use std::collections::HashSet;
use std::time::Duration;

#[test]
fn names_are_unique_and_snake_case() {
    for rows in [ClientOptions::rows(), CallOptions::rows(), ServerOptions::rows()] {
        let mut seen = HashSet::new();
        for row in rows {
            assert!(seen.insert(row.name), "{} twice", row.name);
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.'), "{}", row.name);
            assert!(row.doc.ends_with('.') && !row.doc.contains("  "), "{}: {}", row.name, row.doc);
        }
    }
}

#[test]
fn defaults_are_valid_and_set_gives_them_back() {
    ClientOptions::default().validate().unwrap();
    CallOptions::default().validate().unwrap();
    ServerOptions::default().validate().unwrap();
    for row in ClientOptions::rows() {
        let mut options = ClientOptions::default();
        options.set(row.name, &row.default).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(options, ClientOptions::default(), "{}", row.name);
        assert_eq!(options.get(row.name), Some(row.default));
    }
    for row in ServerOptions::rows() {
        let mut options = ServerOptions::default();
        options.set(row.name, &row.default).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(options, ServerOptions::default(), "{}", row.name);
    }
}

#[test]
fn a_call_option_means_what_the_clients_option_of_that_name_means() {
    let client = ClientOptions::rows();
    for row in CallOptions::rows() {
        assert_eq!(row.default, "", "{}: unset takes the client's", row.name);
        if let Some(twin) = client.iter().find(|twin| twin.name == row.name) {
            assert_eq!((row.type_name, &row.range), (twin.type_name, &twin.range), "{}", row.name);
        } else {
            assert!(["hash_key", "target"].contains(&row.name), "{}", row.name);
        }
    }
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let mut options = ClientOptions::default();
    for (name, text) in [
        ("timout", "unknown option `timout`: did you mean `timeout`?"),
        ("tls.cart", "unknown option `tls.cart`: did you mean `tls.cert`?"),
        ("colour", "unknown option `colour`"),
    ] {
        let error = options.set(name, "1").unwrap_err();
        assert_eq!(error.reason(), Reason::ConfigUnknownOption);
        assert_eq!(error.message(), text);
    }
    assert_eq!(options.get("timout"), None);
}

#[test]
fn a_bad_value_is_named_with_what_is_allowed_and_changes_nothing() {
    let mut options = ClientOptions::default();
    for (name, value, text) in [
        ("retries", "101", "option `retries`: bad value `101`: allowed: 0 to 100"),
        ("retries", "-1", "option `retries`: bad value `-1`: expected a whole number from 0 to 4294967295"),
        (
            "timeout",
            "soon",
            "option `timeout`: bad value `soon`: expected a duration such as 500ms, 15s, 2m or a number of milliseconds",
        ),
        ("connect_timeout", "0", "option `connect_timeout`: bad value `0`: allowed: 1ms to 10m"),
        ("timeout", "10us", "option `timeout`: bad value `10us`: allowed: 0 (off) or 1ms to 365d"),
        (
            "fail_mode",
            "Failover",
            "option `fail_mode`: bad value `Failover`: expected one of failover, failfast, failtry, failbackup",
        ),
        ("latitude", "91", "option `latitude`: bad value `91`: allowed: -90 to 90"),
        (
            "propagate_metadata",
            "a,__AUTH",
            "option `propagate_metadata`: bad value `a,__AUTH`: allowed: keys that do not begin with `__`",
        ),
        ("tcp_nodelay", "yes", "option `tcp_nodelay`: bad value `yes`: expected true or false"),
    ] {
        let error = options.set(name, value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.message(), text);
    }
    assert_eq!(options, ClientOptions::default());
}

#[test]
fn values_are_set_by_text() {
    let mut options = ClientOptions::default();
    for (name, value) in [
        ("timeout", "0"),
        ("stuck_timeout", "250"),
        ("serialize_type", "7"),
        ("compress_type", "zstd"),
        ("select_mode", "least_loaded"),
        ("max_message_size", "1KiB"),
        ("propagate_metadata", "a, b"),
        ("latitude", "51.5"),
        ("longitude", "-0.1"),
        ("tls.ca", "/etc/ca.pem"),
        ("retry_budget.ratio", "0.5"),
        ("group", "blue"),
    ] {
        options.set(name, value).unwrap_or_else(|error| panic!("{error}"));
    }
    options.validate().unwrap();
    assert_eq!(options.timeout, Duration::ZERO);
    assert_eq!(options.stuck_timeout, Duration::from_millis(250));
    assert_eq!(options.serialize_type.get(), 7);
    assert_eq!(options.max_message_size, 1024);
    assert_eq!(options.propagate_metadata, ["a", "b"]);
    assert_eq!(options.longitude, Some(-0.1));
    assert_eq!(options.retry_budget.ratio, 0.5);
    assert!(options.tls.is_on());
    options.set("group", "").unwrap();
    assert_eq!(options.group, None);

    let mut call = CallOptions::default();
    call.set("timeout", "0").unwrap();
    call.set("hash_key", "user-7").unwrap();
    assert_eq!(call.timeout, Some(Duration::ZERO));
    assert_eq!(call.hash_key.as_deref(), Some(b"user-7".as_slice()));
    call.set("timeout", "").unwrap();
    assert_eq!(call.timeout, None);
    assert!(call.set("connect_timeout", "1s").is_err());
}

#[test]
fn secrets_are_never_shown() {
    let mut options = ClientOptions::default();
    assert_eq!(options.get("auth").as_deref(), Some(""));
    options.set("auth", "s3cret").unwrap();
    assert_eq!(options.auth.as_ref().map(Secret::expose), Some("s3cret"));
    assert_eq!(options.get("auth").as_deref(), Some("***"));
    assert!(!format!("{options:?}").contains("s3cret"));
    assert!(!serde_json::to_string(&options).unwrap().contains("s3cret"));
}

#[test]
fn validate_finds_fields_set_in_code() {
    let error = ClientOptions { connections: 0, ..Default::default() }.validate().unwrap_err();
    assert_eq!(error.message(), "option `connections`: bad value `0`: allowed: 1 to 1024");
    let error = ClientOptions { latitude: Some(f64::NAN), longitude: Some(0.0), ..Default::default() }.validate();
    assert_eq!(error.unwrap_err().reason(), Reason::ConfigBadValue);
}

#[test]
fn validate_finds_what_does_not_fit_together() {
    for (name, value, part) in [
        ("latitude", "1", "go together"),
        ("select_mode", "closest", "needs `latitude`"),
        ("tls.cert", "/c.pem", "`tls.cert` and `tls.key`"),
    ] {
        let mut options = ClientOptions::default();
        options.set(name, value).unwrap();
        let error = options.validate().unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    for (name, part) in [("tls.key", "`tls.cert` and `tls.key`"), ("tls.client_ca", "needs `tls.cert`")] {
        let mut options = ServerOptions::default();
        options.set(name, "/x.pem").unwrap();
        let error = options.validate().unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn options_go_through_serde_and_back() {
    let mut options = ServerOptions::default();
    options.set("idle_timeout", "90s").unwrap();
    options.set("tls.cert", "/c.pem").unwrap();
    let json = serde_json::to_value(&options).unwrap();
    assert_eq!(json["idle_timeout"], "90s");
    assert_eq!(json["max_message_size"], "64MiB");
    assert_eq!(json["worker_threads"], 32);
    assert_eq!(json["tls.cert"], "/c.pem");
    assert_eq!(serde_json::from_value::<ServerOptions>(json).unwrap(), options);
}

#[test]
fn a_file_may_nest_groups_and_use_numbers() {
    let options: ClientOptions = serde_json::from_str(
        r#"{"timeout": 1500, "retries": 1, "idempotent": true, "propagate_metadata": ["a", "b"], "group": null,
            "latitude": 1.5, "longitude": -2, "retry_budget": {"min": 3}, "tls.server_name": "example.org"}"#,
    )
    .unwrap();
    assert_eq!(options.timeout, Duration::from_millis(1500));
    assert_eq!(options.propagate_metadata, ["a", "b"]);
    assert_eq!((options.latitude, options.longitude), (Some(1.5), Some(-2.0)));
    assert_eq!(options.retry_budget.min, 3);
    assert_eq!(options.tls.server_name.as_deref(), Some("example.org"));

    for (json, part) in [
        (r#"{"timout": 1}"#, "did you mean `timeout`?"),
        (r#"{"retry_budget": {"mim": 1}}"#, "did you mean `retry_budget.min`?"),
        (r#"{"retry_budget": {"min": {"a": {}}}}"#, "unknown option group `retry_budget.min`"),
        (r#"{"timeout": {"a": 1}}"#, "unknown option `timeout.a`"),
        (r#"{"retries": -1}"#, "option `retries`: bad value `-1`"),
        (r#"[1]"#, "a map of options"),
    ] {
        let error = serde_json::from_str::<ClientOptions>(json).unwrap_err().to_string();
        assert!(error.contains(part), "{json}: {error}");
    }
}
