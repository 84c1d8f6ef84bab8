//! The library's log events: the process has one sink, which gives them to every environment that asked for them.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rpcx_embed::Queue;
use rpcx_embed::logs::{self, Level, Record};

use crate::event::Event;

/// The environments that asked, each with its level.
static LISTENERS: Mutex<Vec<(Level, Weak<Queue<Event>>)>> = Mutex::new(Vec::new());

/// Delivers events of `level` and above to `queue` until it is gone.
pub(crate) fn deliver(queue: &Arc<Queue<Event>>, level: u32) {
    let level = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace]
        .into_iter()
        .find(|known| *known as u32 >= level)
        .unwrap_or(Level::Trace);
    let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    listeners.retain(|(_, other)| other.strong_count() > 0 && !other.ptr_eq(&Arc::downgrade(queue)));
    listeners.push((level, Arc::downgrade(queue)));
    let most = listeners.iter().map(|(level, _)| *level).max().unwrap_or(level);
    drop(listeners);
    logs::set(most, tell);
}

fn tell(record: &Record<'_>) {
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    let queues: Vec<_> =
        listeners.iter().filter(|(level, _)| record.level <= *level).filter_map(|(_, queue)| queue.upgrade()).collect();
    drop(listeners);
    for queue in queues {
        queue.push(Event::Log(record.level as u32, record.target.to_owned(), record.message.to_owned()));
    }
}
