//! Asks the authenticator about a request, and keeps on the connection what it has accepted (the option `auth_cache`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::context::Context;
use super::pipeline::Authenticator;
use super::start::nonzero;
use crate::config::ServerOptions;
use crate::future::within;

/// What one connection keeps; the authenticator is asked about further ones each time.
const MOST: usize = 32;

/// A server's authenticator with its options.
pub(super) struct Login {
    authenticator: Arc<dyn Authenticator>,
    timeout: Option<Duration>,
    cache: Option<Duration>,
}

impl Login {
    pub(super) fn new(authenticator: Arc<dyn Authenticator>, options: &ServerOptions) -> Login {
        Login { authenticator, timeout: nonzero(options.auth_timeout), cache: nonzero(options.auth_cache) }
    }

    /// Why the request may not go on, if so.
    pub(super) async fn refused(&self, context: &Context) -> Option<String> {
        let token = context.auth().unwrap_or_default();
        let accepted = &context.inner.session.accepted;
        let known = self.cache.and_then(|_| accepted.get());
        if known.is_some_and(|known| known.has(context, token, Instant::now())) {
            return None;
        }
        match within(self.timeout, self.authenticator.authenticate(context, token)).await {
            Ok(Ok(())) => {
                if let Some(time) = self.cache {
                    accepted.get_or_init(Box::default).add(context, token, time);
                }
                None
            }
            Ok(Err(error)) => Some(error.message().to_owned()),
            Err(limit) => Some(format!("the authenticator did not answer within {limit:?}")),
        }
    }
}

/// What the authenticator has accepted on one connection.
#[derive(Default)]
pub(super) struct Accepted(Mutex<Vec<Entry>>);

struct Entry {
    service: Box<str>,
    method: Box<str>,
    token: Box<str>,
    until: Instant,
}

impl Entry {
    fn is_of(&self, context: &Context, token: &str) -> bool {
        *self.token == *token && *self.service == *context.service() && *self.method == *context.method()
    }
}

impl Accepted {
    fn has(&self, context: &Context, token: &str, now: Instant) -> bool {
        let mut entries = self.entries();
        entries.retain(|entry| entry.until > now);
        entries.iter().any(|entry| entry.is_of(context, token))
    }

    /// Calls that were judged at the same time share an entry.
    fn add(&self, context: &Context, token: &str, time: Duration) {
        let until = Instant::now() + time;
        let mut entries = self.entries();
        if let Some(known) = entries.iter_mut().find(|entry| entry.is_of(context, token)) {
            known.until = until;
        } else if entries.len() < MOST {
            let (service, method) = (context.service().as_ref().into(), context.method().as_ref().into());
            entries.push(Entry { service, method, token: token.into(), until });
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
