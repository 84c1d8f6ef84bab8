//! The library's log events for the host's own logging.
//!
//! Only what the library's own threads and calls do is heard: no process-wide subscriber is installed, so a Rust host keeps
//! its own.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Something failed that should not.
    Error = 1,
    /// Something to look at: a refused connection, a slow call.
    Warn = 2,
    /// What is done seldom: a server started, a breaker opened.
    Info = 3,
    /// What helps to find a mistake.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// One event.
#[derive(Debug)]
pub struct Record<'a> {
    /// How much it matters.
    pub level: Level,
    /// The part of the library: `rpcx::client`.
    pub target: &'a str,
    /// Text and fields: `the breaker opened server=tcp@…`.
    pub message: &'a str,
}

/// Events a second that reach the host; more are counted and told with the next one.
const PER_SECOND: u32 = 100;

struct Sink {
    level: Level,
    tell: Box<dyn Fn(&Record<'_>) + Send + Sync>,
}

static SINK: ArcSwapOption<Sink> = ArcSwapOption::const_empty();
static DISPATCH: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Forward));

/// Sends events of `level` and above to `sink`, from any thread; it must be quick. The last one set wins, for the process.
/// Beyond a hundred events a second they are counted instead of told.
///
/// ```
/// use rpcx_embed::logs::{self, Level};
///
/// logs::set(Level::Warn, |record| eprintln!("{:?} {}: {}", record.level, record.target, record.message));
/// logs::clear();
/// ```
pub fn set(level: Level, sink: impl Fn(&Record<'_>) + Send + Sync + 'static) {
    SINK.store(Some(Arc::new(Sink { level, tell: Box::new(sink) })));
    level_changed();
}

/// Ends it.
pub fn clear() {
    SINK.store(None);
    level_changed();
}

/// Has the levels of the sink asked for again. As long as ours is the only dispatcher of the process, `tracing` asks that of
/// the calling thread, which is a stranger's.
fn level_changed() {
    all(tracing::callsite::rebuild_interest_cache);
}

/// Runs `body` with its events going to the sink, if there is one.
pub(crate) fn with<T>(body: impl FnOnce() -> T) -> T {
    if SINK.load().is_none() {
        return body();
    }
    all(body)
}

/// Runs `body` with its events going to the sink, to one that is set later too.
pub(crate) fn all<T>(body: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&DISPATCH, body)
}

/// Hands events on to the sink of the moment. Spans are not followed.
struct Forward;

fn level(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && SINK.load().as_ref().is_some_and(|sink| level(metadata) <= sink.level)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match SINK.load().as_ref().map(|sink| sink.level) {
            None => LevelFilter::OFF,
            Some(Level::Error) => LevelFilter::ERROR,
            Some(Level::Warn) => LevelFilter::WARN,
            Some(Level::Info) => LevelFilter::INFO,
            Some(Level::Debug) => LevelFilter::DEBUG,
            Some(Level::Trace) => LevelFilter::TRACE,
        })
    }

    fn event(&self, event: &Event<'_>) {
        thread_local! {
            static TELLING: Cell<bool> = const { Cell::new(false) };
        }
        // A sink that logs by this library itself would never end.
        if TELLING.try_with(|telling| telling.replace(true)).unwrap_or(true) {
            return;
        }
        if let Some(sink) = SINK.load_full()
            && let Some(lost) = admitted()
        {
            let mut text = Text::default();
            event.record(&mut text);
            if lost > 0 {
                let _ = write!(text.text, " ({lost} earlier events were too many to tell)");
            }
            let metadata = event.metadata();
            (sink.tell)(&Record { level: level(metadata), target: metadata.target(), message: &text.text });
        }
        let _ = TELLING.try_with(|telling| telling.set(false));
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &SpanRecord<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

/// Whether one more may be told in this second, and then how many were not since the last one.
fn admitted() -> Option<usize> {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static SECOND: AtomicU64 = AtomicU64::new(0);
    static TOLD: AtomicU32 = AtomicU32::new(0);
    static LOST: AtomicUsize = AtomicUsize::new(0);
    let second = START.elapsed().as_secs();
    if SECOND.swap(second, Ordering::Relaxed) != second {
        TOLD.store(0, Ordering::Relaxed);
    }
    if TOLD.fetch_add(1, Ordering::Relaxed) < PER_SECOND {
        return Some(LOST.swap(0, Ordering::Relaxed));
    }
    LOST.fetch_add(1, Ordering::Relaxed);
    None
}

/// An event as text: its message, then `name=value` for each field.
#[derive(Default)]
struct Text {
    text: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string can't fail.
        let _ = if field.name() == "message" {
            let rest = std::mem::take(&mut self.text);
            write!(self.text, "{value:?}{rest}")
        } else {
            write!(self.text, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
