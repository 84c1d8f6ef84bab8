//! What a server's handle stands for: first a plan, then what runs.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rpcx_embed::interceptor::Interceptor;
use rpcx_embed::{
    AuthRequest, Error, Handler, MethodFlags, Reason, Result, Server, ServerBuilder, ServerConfig, runtime,
};

use crate::arg;
use crate::bytes::c_text;

/// A server, begun and then running.
pub(crate) struct State {
    /// `None` once it was started.
    plan: Mutex<Option<Plan>>,
    running: OnceLock<Running>,
    closed: AtomicBool,
}

/// What a server is going to be made of.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) config: ServerConfig,
    pub(crate) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(crate) methods: Vec<(String, String, Arc<dyn Handler>, MethodFlags)>,
    pub(crate) fallback: Option<Arc<dyn Handler>>,
    pub(crate) aliases: Vec<[String; 4]>,
    pub(crate) authenticator: Option<Arc<dyn Fn(AuthRequest) + Send + Sync>>,
}

pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) addresses: Vec<CString>,
}

impl State {
    pub(crate) fn new(plan: Plan) -> Arc<State> {
        Arc::new(State { plan: Mutex::new(Some(plan)), running: OnceLock::new(), closed: AtomicBool::new(false) })
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running(&self) -> Result<&Running> {
        let missing =
            || Error::new(Reason::ConfigBadArgument, "argument `server` was not started, or has not begun to run");
        self.running.get().ok_or_else(missing)
    }

    /// Starts it; `tell` runs on a thread of the library.
    pub(crate) fn start(self: &Arc<Self>, tell: impl FnOnce(Result<()>) + Send + 'static) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let plan = self.plan().take().ok_or_else(|| arg::bad("server", "was started already"))?;
        let state = self.clone();
        let started = plan.build().start(move |result| tell(result.and_then(|server| state.run(server))));
        started.map(drop)
    }

    fn run(&self, server: Server) -> Result<()> {
        let addresses = server.addresses()?.into_iter().map(c_text).collect();
        // It is started once.
        let _ = self.running.set(Running { server, addresses });
        // Whoever closed it while it started found nothing to close.
        if self.closed.load(Ordering::SeqCst) {
            self.close();
            return Err(closed());
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(running) = self.running.get() {
            running.server.close();
        }
    }
}

fn closed() -> Error {
    Error::new(Reason::ClosedLocal, "the server was closed")
}

impl Plan {
    fn build(self) -> ServerBuilder {
        let mut builder = ServerBuilder::new(self.config);
        for interceptor in self.interceptors {
            builder = builder.interceptor(interceptor);
        }
        for (service, method, handler, flags) in self.methods {
            builder = builder.method(&service, &method, handler, flags);
        }
        if let Some(handler) = self.fallback {
            builder = builder.fallback(handler);
        }
        for [service, method, real_service, real_method] in &self.aliases {
            builder = builder.alias(service, method, real_service, real_method);
        }
        if let Some(check) = self.authenticator {
            builder = builder.authenticator(move |request| check(request));
        }
        builder
    }
}

/// Waits on this thread for something that is told of on another.
pub(crate) fn wait(start: impl FnOnce(Box<dyn FnOnce(Result<()>) + Send>) -> Result<()>) -> Result<()> {
    runtime::may_block()?;
    let (sender, receiver) = sync_channel(1);
    start(Box::new(move |result| {
        // The receiver waits below.
        let _ = sender.send(result);
    }))?;
    receiver.recv().map_err(|_| Error::new(Reason::ClosedLocal, "the server ended"))?
}
