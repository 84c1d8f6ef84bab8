//! Services and methods by name: made once, looked up for every call.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::context::Context;
use super::handler::{Blocking, Function, Handler, RawFunction, ServiceMethod, Shared};
use crate::codec::{Decode, Encode};
use crate::config::Alias;
use crate::error::Result;
use crate::stats::MethodRecorder;

/// A named handler; services are lists of these.
///
/// [`#[rpcx::service]`](crate::service) makes them from a trait. By hand:
///
/// ```
/// use rpcx::codec::Serde;
/// use rpcx::server::{Context, Method};
///
/// let add = Method::new::<Serde, _, _, _, _>("Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) });
/// assert_eq!(add.name(), "Add");
/// ```
pub struct Method {
    name: String,
    pub(super) handler: Arc<dyn Handler>,
    to_completion: bool,
}

impl Method {
    fn made(name: impl Into<String>, handler: impl Handler + 'static) -> Method {
        Method { name: name.into(), handler: Arc::new(handler), to_completion: false }
    }

    /// A function whose arguments and reply are encoded by `C`, in whichever of its formats a request comes.
    pub fn new<C, A, R, F, Fut>(name: impl Into<String>, function: F) -> Method
    where
        C: Decode<A> + Encode<R>,
        A: 'static,
        R: 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        Method::made(name, Function::<C, A, R, F>::new(function))
    }

    /// A method of a shared service object, as `#[rpcx::service]` makes them.
    pub fn of_service<T, C, A, R, F, Fut>(name: impl Into<String>, service: Arc<T>, function: F) -> Method
    where
        T: Send + Sync + 'static,
        C: Decode<A> + Encode<R>,
        A: 'static,
        R: 'static,
        F: Fn(Shared<T>, Context, A) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        Method::made(name, ServiceMethod::<T, C, A, R, F>::new(service, function))
    }

    /// A function that gets and gives payloads as they are, in every serialize type.
    pub fn raw<F, Fut>(name: impl Into<String>, function: F) -> Method
    where
        F: Fn(Context, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes>> + Send + 'static,
    {
        Method::made(name, RawFunction { function })
    }

    /// A plain function that may block; it runs on the server's bounded pool of worker threads.
    pub fn blocking<C, A, R, F>(name: impl Into<String>, function: F) -> Method
    where
        C: Decode<A> + Encode<R>,
        A: Send + 'static,
        R: Send + 'static,
        F: Fn(Context, A) -> Result<R> + Send + Sync + 'static,
    {
        Method::made(name, Blocking::<C, A, R, F>::new(function))
    }

    /// Lets a call that has begun run to its end: neither its caller's cancellation, nor its deadline, nor the end of its
    /// connection stops it. For oneway requests say, whose callers do not stay, and for work that must not be left half
    /// done.
    ///
    /// [`Context::cancelled`] and [`Context::token`] never tell such a handler to stop; [`Context::deadline`] still says
    /// what its caller asked for. It counts against `max_in_flight`, and a server that shuts down waits for it.
    ///
    /// ```
    /// use rpcx::server::{Context, Method, Server};
    ///
    /// let store = Method::raw("Store", |_ctx: Context, record| async move { Ok(record) }).to_completion();
    /// let server = Server::builder().method("Log", store);
    /// ```
    #[must_use]
    pub fn to_completion(mut self) -> Method {
        self.to_completion = true;
        self
    }

    /// The name on the wire.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Method").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Something that can be registered with a server under a name. Made by [`#[rpcx::service]`](crate::service).
pub trait Service {
    /// The service path under which it is registered unless another one is given.
    const NAME: &'static str;
    /// The methods that can be called; nothing else of the object is reachable.
    fn methods(self) -> Vec<Method>;
}

/// A method with what the server keeps about it.
pub(crate) struct Entry {
    pub(crate) service: Box<[u8]>,
    pub(crate) method: Box<[u8]>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) recorder: Arc<MethodRecorder>,
    /// Its handler took too long in place: it begins on a task.
    pub(crate) slow: AtomicBool,
    /// Its calls are not stopped once they have begun.
    pub(crate) to_completion: bool,
}

/// What a lookup found.
pub(crate) enum Found<'a> {
    Entry(&'a Arc<Entry>),
    NoMethod,
    NoService,
}

/// The methods of one service by name.
type Methods = HashMap<Box<[u8]>, Arc<Entry>>;

/// What an alias stands for.
pub(crate) struct RealName {
    pub(crate) service: Box<[u8]>,
    pub(crate) method: Box<[u8]>,
}

/// What the aliases of one service stand for, by method.
type RealNames = HashMap<Box<[u8]>, Arc<RealName>>;

/// All services of a server. Replaced as a whole when one is added or removed.
#[derive(Clone, Default)]
pub(crate) struct Table {
    services: HashMap<Box<[u8]>, Methods>,
    /// Second names, by service and method.
    aliases: HashMap<Box<[u8]>, RealNames>,
    fallback: Option<Arc<Entry>>,
}

impl Table {
    /// Adds a method, replacing one of the same name.
    pub(crate) fn insert(&mut self, service: &str, method: Method, recorder: Arc<MethodRecorder>) {
        let entry = Entry {
            service: service.as_bytes().into(),
            method: method.name.as_bytes().into(),
            handler: method.handler,
            recorder,
            slow: AtomicBool::new(false),
            to_completion: method.to_completion,
        };
        let methods = self.services.entry(entry.service.clone()).or_default();
        methods.insert(entry.method.clone(), Arc::new(entry));
    }

    /// Handles whatever is not registered.
    pub(crate) fn set_fallback(&mut self, method: Method, recorder: Arc<MethodRecorder>) {
        self.fallback = Some(Arc::new(Entry {
            service: method.name.as_bytes().into(),
            method: method.name.as_bytes().into(),
            handler: method.handler,
            recorder,
            slow: AtomicBool::new(false),
            to_completion: method.to_completion,
        }));
    }

    /// Forgets a service and its methods.
    pub(crate) fn remove(&mut self, service: &str) -> bool {
        self.services.remove(service.as_bytes()).is_some()
    }

    /// Renames requests for one method to another, registered or not; a name that is registered too is no longer reached by
    /// it. As with Go's, what an alias stands for is no alias again.
    pub(crate) fn alias(&mut self, alias: &Alias) {
        let real =
            RealName { service: alias.real_service.as_bytes().into(), method: alias.real_method.as_bytes().into() };
        let methods = self.aliases.entry(alias.service.as_bytes().into()).or_default();
        methods.insert(alias.method.as_bytes().into(), Arc::new(real));
    }

    /// Whether a request under this name, renamed or not, would reach a handler.
    pub(crate) fn answers(&self, service: &str, method: &str) -> bool {
        matches!(self.look_up(service.as_bytes(), method.as_bytes()), Found::Entry(_))
    }

    /// The method that a request asks for; beside it its real name if it was asked for by an alias.
    pub(crate) fn find(&self, service: &[u8], method: &[u8]) -> (Found<'_>, Option<Arc<RealName>>) {
        if !self.aliases.is_empty()
            && let Some(real) = self.aliases.get(service).and_then(|methods| methods.get(method))
        {
            return (self.look_up(&real.service, &real.method), Some(real.clone()));
        }
        (self.look_up(service, method), None)
    }

    fn look_up(&self, service: &[u8], method: &[u8]) -> Found<'_> {
        match self.services.get(service) {
            Some(methods) => match methods.get(method) {
                Some(entry) => Found::Entry(entry),
                None => self.fallback.as_ref().map_or(Found::NoMethod, Found::Entry),
            },
            None => self.fallback.as_ref().map_or(Found::NoService, Found::Entry),
        }
    }

    /// The service paths that can be called, for registries; those of aliases too.
    pub(crate) fn services(&self) -> impl Iterator<Item = String> + '_ {
        let aliases = self.aliases.keys().filter(|name| !self.services.contains_key(*name));
        self.services.keys().chain(aliases).map(|name| String::from_utf8_lossy(name).into_owned())
    }
}

/// The table that is in force. Connections keep a copy of it and look only at the revision.
pub(crate) struct Published {
    table: Mutex<Arc<Table>>,
    revision: AtomicU64,
}

impl Published {
    pub(crate) fn new(table: Table) -> Published {
        Published { table: Mutex::new(Arc::new(table)), revision: AtomicU64::new(0) }
    }

    /// Rises with every change.
    #[inline]
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(crate) fn current(&self) -> Arc<Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes made at the same time are made one after the other.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Table) -> R) -> R {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(Arc::make_mut(&mut table));
        self.revision.fetch_add(1, Ordering::Release);
        result
    }
}
