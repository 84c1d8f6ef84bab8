//! What an option's value may be: the check and its text for documents and errors.

use super::item::{Alias, RATES, ServiceRate};
use super::network::Network;
use super::value::OptionValue;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The values that one option allows.
pub(crate) struct Allowed<T> {
    /// As a reader needs it: `1ms to 10m`.
    pub(crate) text: String,
    pub(crate) test: Box<dyn Fn(&T) -> bool>,
}

/// Every value of the type.
pub(crate) fn any<T: OptionValue>() -> Allowed<T> {
    Allowed { text: T::choices().join(", "), test: Box::new(|_| true) }
}

/// From `min` to `max`, both included.
pub(crate) fn between<T: OptionValue + PartialOrd + 'static>(min: T, max: T) -> Allowed<T> {
    Allowed {
        text: format!("{} to {}", min.value(), max.value()),
        test: Box::new(move |value| min <= *value && *value <= max),
    }
}

/// Zero, which turns the thing off, or from `min` to `max`.
pub(crate) fn off_or<T: OptionValue + PartialOrd + Default + 'static>(min: T, max: T) -> Allowed<T> {
    let inner = between(min, max);
    Allowed {
        text: format!("0 (off) or {}", inner.text),
        test: Box::new(move |value| *value == T::default() || (inner.test)(value)),
    }
}

/// Unset, or what the inner one allows.
pub(crate) fn unset_or<T: 'static>(inner: Allowed<T>) -> Allowed<Option<T>> {
    Allowed { text: inner.text, test: Box::new(move |value| value.as_ref().is_none_or(|value| (inner.test)(value))) }
}

/// Metadata keys of the user's own.
pub(crate) fn user_keys() -> Allowed<Vec<String>> {
    Allowed {
        text: "keys that do not begin with `__`".to_owned(),
        test: Box::new(|keys| keys.iter().all(|key| !key.is_empty() && !key.starts_with("__"))),
    }
}

/// Whom an access list names.
pub(crate) fn networks() -> Allowed<Vec<Network>> {
    Allowed { text: "addresses, networks, `local`".to_owned(), test: Box::new(|_| true) }
}

/// Second names of methods.
pub(crate) fn aliases() -> Allowed<Vec<Alias>> {
    Allowed {
        text: "`service.method=service.method`, each second name once".to_owned(),
        test: Box::new(|aliases| {
            let same = |a: &Alias, b: &Alias| a.service == b.service && a.method == b.method;
            aliases.iter().enumerate().all(|(i, alias)| !aliases[..i].iter().any(|other| same(other, alias)))
        }),
    }
}

/// Services with their rates.
pub(crate) fn service_rates() -> Allowed<Vec<ServiceRate>> {
    Allowed {
        text: "`service=rate`, each service once".to_owned(),
        test: Box::new(|rates| {
            rates.iter().enumerate().all(|(i, rate)| {
                RATES.contains(&rate.per_second) && rates[..i].iter().all(|other| other.service != rate.service)
            })
        }),
    }
}

/// Where a listener of this machine can be.
pub(crate) fn socket_addresses() -> Allowed<String> {
    Allowed {
        text: "a port, or an IP address with a port".to_owned(),
        test: Box::new(|text| socket_address(text).is_some()),
    }
}

/// Reads an IP address with a port; a bare port is on loopback.
pub(crate) fn socket_address(text: &str) -> Option<SocketAddr> {
    match text.parse() {
        Ok(port) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        Err(_) => text.parse().ok(),
    }
}

/// Some text.
pub(crate) fn not_empty() -> Allowed<String> {
    Allowed { text: "not empty".to_owned(), test: Box::new(|text| !text.is_empty()) }
}

pub(crate) const fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

pub(crate) const fn kib(n: usize) -> usize {
    n << 10
}

pub(crate) const fn mib(n: usize) -> usize {
    n << 20
}
