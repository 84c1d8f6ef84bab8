//! Tests of what is counted and how it adds up.

use super::*;
use crate::error::ErrorKind;
use crate::stats::{EndpointCalls, EndpointStats};
use std::time::Duration;

fn of<'a>(methods: &'a [MethodStats], name: &str) -> &'a MethodStats {
    methods.iter().find(|method| method.method == name).expect("a method of this name")
}

#[test]
fn a_client_adds_up_its_methods() {
    let recorder = ClientRecorder::default();
    let (mul, add) = (recorder.method("Arith", "Mul"), recorder.method("Arith", "Add"));
    for _ in 0..3 {
        mul.began();
        mul.ended(None, Duration::from_micros(100));
    }
    mul.began();
    mul.retried();
    mul.ended(Some(Reason::ClosedReset), Duration::from_secs(1));
    add.began();
    add.ended(Some(Reason::ServiceError), Duration::from_millis(1));
    recorder.opened();
    recorder.opened();
    recorder.closed();
    recorder.failed();
    recorder.connection().read(1000);
    recorder.connection().wrote(300);
    recorder.push_received();
    recorder.push_dropped();

    let stats = recorder.snapshot(7, QueueTotals::default());
    assert_eq!((stats.schema, stats.calls, stats.in_flight, stats.retries), (SCHEMA, 5, 7, 1));
    assert_eq!(stats.errors.of_kind(ErrorKind::Closed), 1);
    assert_eq!(stats.errors.of_reason(Reason::ClosedReset), 1);
    assert_eq!(stats.errors.total(), 2);
    assert_eq!(stats.traffic, Traffic { bytes_in: 1000, bytes_out: 300, reads: 1, writes: 1 });
    assert_eq!(stats.connections, ConnectionTotals { opened: 2, failed: 1, closed: 1, open: 1 });
    assert_eq!(stats.pushes, PushTotals { count: 1, dropped: 1 });
    let mul = of(&stats.methods, "Mul");
    assert_eq!((mul.calls, mul.errors, mul.latency.count), (4, 1, 3), "a lost call has no latency");
    assert!((98.0..102.0).contains(&mul.latency.p99_us), "{:?}", mul.latency);
    assert_eq!(of(&stats.methods, "Add").latency.count, 1, "an error of the service is an answer");
}

#[test]
fn a_server_counts_handlers_and_refusals_apart() {
    let recorder = ServerRecorder::default();
    let mul = recorder.method("Arith", "Mul");
    mul.finished(false, Duration::from_micros(1));
    mul.finished(true, Duration::from_micros(1));
    mul.panicked();
    mul.finished(true, Duration::from_micros(1));
    mul.cancelled();
    recorder.refused(Reason::LimitMaxMetadataPairs);
    recorder.push_sent();

    let stats = recorder.snapshot(0, QueueTotals::default());
    assert_eq!((stats.calls, stats.cancelled, stats.panics), (4, 1, 1));
    assert_eq!(stats.errors.of_kind(ErrorKind::Service), 2);
    assert_eq!(stats.errors.of_reason(Reason::LimitMaxMetadataPairs), 1);
    assert_eq!(of(&stats.methods, "Mul").errors, 2);
    assert_eq!(stats.pushes.count, 1);
}

#[test]
fn the_same_names_are_the_same_recorder() {
    let recorder = ServerRecorder::default();
    let first = recorder.method("A", "B");
    assert!(Arc::ptr_eq(&first, &recorder.method("A", "B")));
    assert!(!Arc::ptr_eq(&first, &recorder.method("A", "C")));
}

#[test]
fn names_from_outside_do_not_grow_without_bound() {
    let recorder = ClientRecorder::default();
    for i in 0..MAX_METHODS + 50 {
        recorder.method("S", &i.to_string()).began();
    }
    let stats = recorder.snapshot(0, QueueTotals::default());
    assert_eq!(stats.methods.len(), MAX_METHODS + 1);
    assert_eq!(of(&stats.methods, "*").calls, 50);
    assert_eq!(stats.calls, MAX_METHODS as u64 + 50);
}

#[test]
fn the_json_form_is_schema_1() {
    let recorder = ClientRecorder::default();
    let mul = recorder.method("Arith", "Mul");
    mul.began();
    mul.ended(Some(Reason::LimitMaxMessageSize), Duration::ZERO);
    let json = serde_json::to_value(recorder.snapshot(0, QueueTotals::default())).unwrap();
    let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    let expected = [
        "bytes_in",
        "bytes_out",
        "calls",
        "connections",
        "errors",
        "in_flight",
        "methods",
        "pushes",
        "queue",
        "reads",
        "reasons",
        "retries",
        "retry_budget_left",
        "schema",
        "servers",
        "services",
        "writes",
    ];
    assert_eq!(keys, expected);
    assert_eq!(json["errors"]["limit"], 1);
    assert_eq!(json["errors"]["timeout"], 0);
    assert_eq!(json["reasons"], serde_json::json!({"limit.max_message_size": 1}));
    assert_eq!(json["connections"], serde_json::json!({"opened": 0, "failed": 0, "closed": 0, "open": 0}));
    assert_eq!(json["methods"][0]["service"], "Arith");
    assert_eq!(json["methods"][0]["latency"]["count"], 0);
    let json = serde_json::to_value(ServerRecorder::default().snapshot(0, QueueTotals::default())).unwrap();
    assert_eq!((&json["panics"], &json["cancelled"]), (&0.into(), &0.into()));
}

#[test]
fn the_json_form_of_a_server_is_schema_1() {
    let stats = EndpointStats {
        service: "Arith".to_owned(),
        server: "tcp@a:1".to_owned(),
        breaker: Some("half_open"),
        breaker_opened: 2,
        ejected: true,
        ejections: 3,
        disallowed: false,
        connections: 1,
        in_flight: 7,
        retries: 4,
        calls: Some(EndpointCalls::new(8, 9, Some(Duration::from_micros(1_500)))),
    };
    let expected = serde_json::json!({
        "service": "Arith", "server": "tcp@a:1", "breaker": "half_open", "breaker_opened": 2, "ejected": true,
        "ejections": 3, "disallowed": false, "connections": 1, "in_flight": 7, "retries": 4,
        "calls": {"good": 8, "failed": 9, "mean_us": 1500.0},
    });
    assert_eq!(serde_json::to_value(&stats).unwrap(), expected);
    let plain = serde_json::to_value(EndpointStats { breaker: None, calls: None, ..stats }).unwrap();
    assert!(plain["breaker"].is_null() && plain["calls"].is_null());
}
