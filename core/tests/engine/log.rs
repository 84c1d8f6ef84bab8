//! Collects what the engine tells `tracing`, on the thread of one test.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// One event, or one span with all that was recorded in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) target: String,
    /// A span's name; of an event nothing.
    pub(crate) span: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
    /// The spans it happened in, outermost first.
    pub(crate) within: Vec<u64>,
    pub(crate) id: u64,
    pub(crate) ended: bool,
}

impl Entry {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<State>);

#[derive(Default)]
struct State {
    entries: Mutex<Vec<Entry>>,
    entered: Mutex<Vec<u64>>,
    ids: AtomicU64,
}

impl Log {
    /// Collects until the guard is dropped.
    pub(crate) fn start() -> (Log, DefaultGuard) {
        let log = Log::default();
        (log.clone(), tracing::subscriber::set_default(log))
    }

    /// What was told under this target.
    pub(crate) fn of(&self, target: &str) -> Vec<Entry> {
        self.0.entries.lock().unwrap().iter().filter(|entry| entry.target == target).cloned().collect()
    }

    fn with(&self, id: &Id, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.0.entries.lock().unwrap();
        change(entries.iter_mut().find(|entry| entry.id == id.into_u64()).expect("a span of this log"));
    }
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = 1 + self.0.ids.fetch_add(1, Ordering::Relaxed);
        let mut entry = Entry {
            target: span.metadata().target().to_owned(),
            span: Some(span.metadata().name().to_owned()),
            within: self.0.entered.lock().unwrap().clone(),
            id,
            ..Entry::default()
        };
        span.record(&mut Fields(&mut entry.fields));
        self.0.entries.lock().unwrap().push(entry);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.with(span, |entry| values.record(&mut Fields(&mut entry.fields)));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let within = self.0.entered.lock().unwrap().clone();
        let mut entry = Entry { target: event.metadata().target().to_owned(), within, ..Entry::default() };
        event.record(&mut Fields(&mut entry.fields));
        self.0.entries.lock().unwrap().push(entry);
    }

    fn enter(&self, span: &Id) {
        self.0.entered.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        self.0.entered.lock().unwrap().retain(|entered| *entered != span.into_u64());
    }

    fn try_close(&self, span: Id) -> bool {
        self.with(&span, |entry| entry.ended = true);
        true
    }
}
