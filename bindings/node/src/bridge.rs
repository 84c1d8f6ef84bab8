//! The bridge of one environment: `submit` takes what JavaScript starts, `drain` gives what has happened.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use napi::bindgen_prelude::{BufferSlice, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use napi_derive::napi;
use rpcx_embed::{Client, Error, HeldPush, Method, Place, Queue, Reason, Running, Server, Together};

use crate::error::{Result, thrown};
use crate::event::{self, Event};
use crate::logs;
use crate::read::{Malformed, Reader};
use crate::served::Served;
use crate::slab::Slab;
use crate::submit::{self, Form, Start, Submitted};
use crate::write::Batch;

/// Wakes JavaScript. Weak: it keeps no loop running.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// A batch takes no further record from here on.
const FULL: usize = 48 << 10;

/// So many records at a time, and the thread of JavaScript leaves their calls to the library's. Measured: with ten callers it
/// would cost a fifth of the throughput, with a hundred it gains a quarter.
const MANY: usize = 16;

/// What only the environment's own thread touches.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) clients: Slab<Client>,
    pub(crate) methods: Slab<Method>,
    pub(crate) servers: Slab<Server>,
    pub(crate) served: Served,
    /// The places of pushes that nobody has read yet, by the number of an open client.
    pub(crate) unread: HashMap<u32, Vec<Place>>,
    /// The calls that JavaScript may still cancel, by ticket.
    pub(crate) running: HashMap<u32, Running>,
    /// Drained from the queue, and not yet written.
    waiting: VecDeque<Event>,
    drained: Vec<Event>,
    /// Written, and not yet given to JavaScript.
    batch: Batch,
}

/// Everything that one environment has of the library; it ends with it.
#[napi]
pub struct Bridge {
    pub(crate) queue: Arc<Queue<Event>>,
    pub(crate) state: RefCell<State>,
}

#[napi]
impl Bridge {
    /// Calls `wake` on the environment's thread when there is something to drain.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), ()>) -> napi::Result<Bridge> {
        let wake: Wake = wake.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
        let queue = Queue::new(move || {
            // Refused only when the environment is being torn down: nobody is left to be woken.
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        // Threads that still have something to tell then find the queue closed.
        env.add_env_cleanup_hook(queue.clone(), |queue| queue.close())?;
        Ok(Bridge { queue, state: RefCell::default() })
    }

    /// Starts the calls and gives the answers that the first `length` bytes of `records` hold.
    #[napi(catch_unwind)]
    pub fn submit(&self, records: BufferSlice<'_>, length: u32) -> Result<()> {
        let records = records.get(..length as usize).unwrap_or_default();
        let state = &mut *self.state.borrow_mut();
        // Few calls leave from here at once, which saves a wake-up; many from their shard, which writes them together.
        let mut together = submit::are_many(records, MANY).then(Together::default);
        let mut reader = Reader::new(records);
        while !reader.is_empty() {
            match submit::next(&mut reader).map_err(malformed)? {
                Submitted::Start(start) => self.start(state, together.as_mut(), start),
                Submitted::Answer(request, metadata, result) => state.served.answer(request, &metadata, result),
            }
        }
        Ok(())
    }

    /// Writes what has happened to `out` from `offset` on, which is a multiple of eight, and returns the bytes written; zero
    /// when nothing has happened. When there is not enough space it returns how much is needed, negative.
    #[napi(catch_unwind)]
    pub fn drain(&self, mut out: BufferSlice<'_>, offset: u32) -> f64 {
        let state = &mut *self.state.borrow_mut();
        if state.batch.bytes().is_empty() {
            self.queue.drain(&mut state.drained, usize::MAX);
            state.waiting.extend(state.drained.drain(..));
            while state.batch.bytes().len() < FULL
                && let Some(event) = state.waiting.pop_front()
            {
                self.write(state, event);
            }
        }
        let bytes = state.batch.bytes();
        let Some(space) = out.get_mut(offset as usize..).and_then(|rest| rest.get_mut(..bytes.len())) else {
            return -(bytes.len() as f64);
        };
        space.copy_from_slice(bytes);
        let written = bytes.len() as f64;
        state.batch.clear();
        written
    }

    /// Cancels a call that was started as one that may be; without effect when it has ended.
    #[napi(catch_unwind)]
    pub fn cancel(&self, ticket: u32) {
        if let Some(running) = self.state.borrow().running.get(&ticket) {
            running.cancel();
        }
    }

    /// Delivers the library's log events of this level (1 error to 5 trace) and above.
    #[napi(catch_unwind)]
    pub fn watch_logs(&self, level: u32) {
        logs::deliver(&self.queue, level);
    }

    /// How many are held: clients, methods, servers, requests under way, calls that may be cancelled, events that wait.
    #[napi(catch_unwind)]
    pub fn held(&self) -> Vec<u32> {
        let state = self.state.borrow();
        let counts = [
            state.clients.len(),
            state.methods.len(),
            state.servers.len(),
            state.served.len(),
            state.running.len(),
            state.waiting.len(),
        ];
        counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX)).to_vec()
    }

    fn start(&self, state: &mut State, together: Option<&mut Together>, start: Start) {
        let Start { form, ticket, method, cancellable, payload, options } = start;
        let queue = self.queue.clone();
        let started = options.and_then(|options| {
            let gone = || Error::new(Reason::ClosedLocal, "the client is closed");
            let method = state.methods.get(method).ok_or_else(gone)?;
            Ok(Some(match form {
                Form::Reply(kind) => {
                    let done = move |result| queue.push(Event::Reply(ticket, result));
                    match together {
                        Some(together) => method.join(together, kind, payload, options, done)?,
                        None => method.start(kind, payload, options, done)?,
                    }
                }
                Form::Inform => {
                    method.start_inform(payload, options, move |result| queue.push(Event::Inform(ticket, result)))?
                }
                Form::Oneway => {
                    let done = move |result| queue.push(Event::Done(ticket, result));
                    match together {
                        Some(together) => method.join_oneway(together, payload, options, done)?,
                        None => method.start_oneway(payload, options, done)?,
                    }
                }
                Form::Oneshot => {
                    method.oneshot(payload, &options)?;
                    queue.push(Event::Done(ticket, Ok(())));
                    return Ok(None);
                }
            }))
        });
        match started {
            Ok(Some(running)) if cancellable => {
                state.running.insert(ticket, running);
            }
            Ok(_) => {}
            Err(error) => self.queue.push(Event::Done(ticket, Err(error))),
        }
    }

    fn write(&self, state: &mut State, event: Event) {
        let State { batch, running, servers, served, unread, .. } = state;
        let mut ended = |ticket: u32| {
            if !running.is_empty() {
                running.remove(&ticket);
            }
            ticket
        };
        match event {
            Event::Reply(ticket, Ok(reply)) => event::reply(batch, ended(ticket), &reply),
            Event::Done(ticket, Ok(())) => event::done(batch, ended(ticket)),
            Event::Inform(ticket, Ok(answers)) => event::inform(batch, ended(ticket), &answers),
            Event::Reply(ticket, Err(error)) | Event::Done(ticket, Err(error)) | Event::Inform(ticket, Err(error)) => {
                event::error(batch, ended(ticket), &error, None);
            }
            Event::Started(ticket, Ok(server)) => event::started(batch, ticket, servers.insert(server)),
            Event::Started(ticket, Err(error)) => event::error(batch, ticket, &error, None),
            Event::Push(client, None) => event::push(batch, client, None),
            Event::Push(client, Some(held)) => {
                let HeldPush { push, place } = held;
                event::push(batch, client, Some(&push));
                if let Some(places) = unread.get_mut(&client.index) {
                    places.push(place);
                }
            }
            Event::Request(handler, request) => served.began(&self.queue, batch, handler, request),
            Event::Cancelled(request) => served.cancelled(batch, request),
            Event::Auth(judge, request) => served.asked(&self.queue, batch, judge, request),
            Event::Unasked(request) => served.unasked(request),
            Event::Log(level, target, message) => event::log(batch, level, &target, &message),
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.queue.close();
        let state = self.state.get_mut();
        state.clients.take_all().iter().for_each(Client::close);
        state.servers.take_all().iter().for_each(Server::close);
    }
}

/// Ends a ticket with a result that came at once.
pub(crate) fn settle(queue: &Arc<Queue<Event>>, ticket: u32, started: rpcx_embed::Result<Running>) {
    if let Err(error) = started {
        queue.push(Event::Done(ticket, Err(error)));
    }
}

fn malformed(Malformed: Malformed) -> napi::Error<String> {
    thrown(Error::new(Reason::InternalBug, "a record that cannot be read"))
}
