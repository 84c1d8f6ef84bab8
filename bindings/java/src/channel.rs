//! A queue of events for one of Java's pollers, with what its commands act on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use rpcx_embed::{Bytes, Client, Driver, Error, HeldPush, Method, Place, Queue, Reason, Result};

use crate::event::Event;
use crate::{command, requests, running};

/// What only the poller uses.
#[derive(Default)]
pub(crate) struct Polling {
    /// Events that were taken from the queue and did not fit.
    pub(crate) waiting: VecDeque<Event>,
    pub(crate) incoming: Vec<Event>,
    pub(crate) out: Vec<u8>,
    /// A record that did not fit.
    pub(crate) carried: Vec<u8>,
    /// The poller drives a shard while it waits: what its own connections bring needs no wake-up then.
    pub(crate) driver: Option<Driver>,
}

/// A queue of events and what its commands act on: the calls of a client, or the requests of a server.
pub(crate) struct Channel {
    pub(crate) queue: Arc<Queue<Event>>,
    client: OnceLock<Client>,
    methods: RwLock<Vec<Method>>,
    running: Mutex<running::Table>,
    requests: Mutex<requests::Table>,
    polling: Mutex<Polling>,
    /// The places of pushes that Java has and nobody has taken there.
    pushes: Mutex<Vec<Place>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Channel {
    pub(crate) fn new() -> Channel {
        Channel {
            queue: Queue::blocking(),
            client: OnceLock::new(),
            methods: RwLock::default(),
            running: Mutex::default(),
            requests: Mutex::default(),
            polling: Mutex::default(),
            pushes: Mutex::default(),
        }
    }

    pub(crate) fn set_client(&self, client: Client) -> Result<()> {
        self.client.set(client).map_err(|_| Error::new(Reason::InternalBug, "a channel has one client"))
    }

    /// Lets the poller drive the shard of a client, or one of a server's, while it waits. Before the first poll.
    pub(crate) fn drive(&self, driver: Driver) {
        self.polling().driver = Some(driver);
    }

    /// Carries out commands, then waits for something to drain: on the shard, if the poller drives one. So what the
    /// commands start wakes no other thread.
    pub(crate) fn submit_and_wait(&self, driver: Option<&Driver>, commands: Option<Bytes>) -> Result<()> {
        let mut result = Ok(());
        let submit = || {
            if let Some(commands) = commands {
                result = command::submit(self, commands);
            }
        };
        match driver {
            Some(driver) => driver.wait_after(&self.queue, None, submit),
            None => {
                submit();
                self.queue.wait(None)
            }
        };
        result
    }

    pub(crate) fn client(&self) -> Result<&Client> {
        self.client.get().ok_or_else(|| Error::new(Reason::InternalBug, "the channel has no client"))
    }

    /// Keeps a method; its number is for commands.
    pub(crate) fn add_method(&self, method: Method) -> usize {
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        methods.push(method);
        methods.len() - 1
    }

    /// Does something with a method by its number.
    pub(crate) fn with_method<T>(&self, number: usize, act: impl FnOnce(&Method) -> Result<T>) -> Result<T> {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
        match methods.get(number) {
            Some(method) => act(method),
            None => Err(Error::new(Reason::InternalBug, format!("there is no method {number}"))),
        }
    }

    pub(crate) fn running(&self) -> MutexGuard<'_, running::Table> {
        lock(&self.running)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, requests::Table> {
        lock(&self.requests)
    }

    pub(crate) fn polling(&self) -> MutexGuard<'_, Polling> {
        lock(&self.polling)
    }

    /// Lets pushes come as events. At most `most` are on their way or wait in Java; further ones wait in the client, where
    /// its options say how many and what becomes of more.
    pub(crate) fn take_pushes(&self, most: usize) -> Result<()> {
        let queue = self.queue.clone();
        self.client()?.take_held(most, move |push: Option<HeldPush>| {
            queue.push(push.map_or(Event::PushesEnd, Event::Push));
            !queue.is_closed()
        })
    }

    /// A push was handed out; its place is kept until Java says that it was taken.
    pub(crate) fn pushed(&self, place: Place) {
        lock(&self.pushes).push(place);
    }

    /// So many pushes were taken in Java.
    pub(crate) fn taken(&self, count: usize) {
        let free = {
            let mut pushes = lock(&self.pushes);
            let left = pushes.len().saturating_sub(count);
            pushes.split_off(left)
        };
        drop(free);
    }

    /// Ends the queue: what is in it can still be polled.
    pub(crate) fn end(&self) {
        self.queue.close();
    }
}

impl Drop for Channel {
    /// What is in the queue refers to the queue.
    fn drop(&mut self) {
        self.queue.close();
        let mut left = Vec::new();
        self.queue.drain(&mut left, usize::MAX);
        drop(left);
        drop(self.requests().clear());
    }
}
