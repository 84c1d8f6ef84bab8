//! Tests of the error type and of what its tables must keep.

use super::{Delivery, Error, ErrorKind, Reason, Retry};
use std::collections::HashSet;
use std::error::Error as _;

#[test]
fn numbers_and_names_are_frozen() {
    let table: Vec<_> = ErrorKind::ALL.iter().map(|kind| (kind.code(), kind.as_str())).collect();
    let expected = [
        (1, "config"),
        (2, "connect"),
        (3, "no_server"),
        (4, "timeout"),
        (5, "service"),
        (6, "cancelled"),
        (7, "overload"),
        (8, "protocol"),
        (9, "codec"),
        (10, "limit"),
        (11, "auth"),
        (12, "closed"),
        (13, "shutting_down"),
        (14, "unsupported"),
        (99, "internal"),
    ];
    assert_eq!(table, expected);
    for kind in ErrorKind::ALL {
        assert_eq!(ErrorKind::from_code(kind.code()), Some(*kind));
    }
    assert_eq!(ErrorKind::from_code(0), None);
    assert_eq!(ErrorKind::from_code(15), None);
}

#[test]
fn every_reason_is_named_after_its_kind_once() {
    let mut seen = HashSet::new();
    for reason in Reason::ALL {
        let (kind, rest) = reason.as_str().split_once('.').expect("kind.reason");
        assert_eq!(kind, reason.kind().as_str(), "{reason}");
        assert!(!rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{reason}");
        assert!(seen.insert(reason.as_str()), "{reason} twice");
        assert_eq!(Reason::from_name(reason.as_str()), Some(*reason));
        assert!(!reason.advice().is_empty() && !reason.advice().ends_with('.'), "{reason}");
        assert!(reason.meaning().ends_with('.') && !reason.meaning().starts_with(' '), "{reason}");
    }
    assert_eq!(Reason::from_name("limit.max"), None);
}

#[test]
fn every_kind_has_a_reason() {
    for kind in ErrorKind::ALL {
        assert!(Reason::ALL.iter().any(|reason| reason.kind() == *kind), "{kind}");
    }
}

#[test]
fn a_peer_may_claim_only_what_a_server_decides() {
    for code in 0..200 {
        let error = Error::from_peer_code(code, "text");
        assert_eq!(error.delivery(), Delivery::Answered);
        assert_eq!(error.message(), "text");
        match ErrorKind::from_code(code) {
            Some(kind) if kind.travels() => assert_eq!(error.kind(), kind),
            _ => assert_eq!(error.reason(), Reason::ServiceError, "{code}"),
        }
    }
}

#[test]
fn retries_follow_the_delivery_state() {
    let lost = Error::new(Reason::ClosedReset, "connection reset");
    assert!(lost.is_retryable(false));
    let lost = lost.with_delivery(Delivery::MaybeRun);
    assert!(!lost.is_retryable(false));
    assert!(lost.is_retryable(true));

    let busy = Error::from_peer_code(ErrorKind::Overload.code(), "busy");
    assert!(!busy.is_retryable(true), "an answer is final unless the server says that nothing ran");
    assert!(busy.with_not_run().is_retryable(false));

    for kind in [ErrorKind::Service, ErrorKind::Timeout, ErrorKind::Cancelled, ErrorKind::Codec, ErrorKind::Auth] {
        for reason in Reason::ALL.iter().filter(|reason| reason.kind() == kind) {
            assert_eq!(reason.retry(), Retry::Never, "{reason}");
        }
    }
}

#[test]
fn text_comes_first_and_the_service_keeps_the_last_word() {
    let error = Error::new(Reason::LimitMaxMessageSize, "message of 70 MiB is above max_message_size 64MiB");
    assert_eq!(
        error.to_string(),
        "message of 70 MiB is above max_message_size 64MiB \
         (limit.max_message_size: send less, or raise max_message_size on both sides)"
    );
    let error = Error::new(Reason::ServiceError, "divide by zero").with_delivery(Delivery::Answered);
    assert_eq!(error.to_string(), "divide by zero (service.error)");
    assert_eq!(error.message(), "divide by zero");
}

#[test]
fn debug_shows_what_is_known() {
    let error = Error::new(Reason::ClosedReset, "reset")
        .with_delivery(Delivery::MaybeRun)
        .with_server("tcp@127.0.0.1:1")
        .with_attempts(2)
        .with_source(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let text = format!("{error:?}");
    for part in ["closed.reset", "maybe_run", "tcp@127.0.0.1:1", "attempts: 2", "ConnectionReset"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(error.source().is_some());
    let clone = error.clone().with_attempts(3);
    assert_eq!((error.attempts(), clone.attempts()), (2, 3), "a clone changes alone");
}

#[test]
fn an_error_is_one_pointer_wide() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<super::Result<()>>(), size_of::<usize>());
}
