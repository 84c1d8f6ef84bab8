//! Servers as JavaScript holds them: by number.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;
use rpcx_embed::{
    AuthRequest, Connection, Error, Handler, Metadata, MethodFlags, Reason, Request, Server, ServerBuilder,
    ServerConfig,
};

use crate::bridge::{Bridge, settle};
use crate::error::{Result, closed, thrown};
use crate::event::{Event, millis};
use crate::slab::Key;

/// A method and the number of its handler.
#[napi(object)]
pub struct NativeMethod {
    /// Service path.
    pub service: String,
    /// Service method.
    pub method: String,
    /// The handler's number.
    pub handler: u32,
    /// Cancellation does not stop it.
    pub to_completion: bool,
}

/// Another name for a method.
#[napi(object)]
pub struct NativeAlias {
    /// Service path that callers may use.
    pub service: String,
    /// Service method that callers may use.
    pub method: String,
    /// What it stands for.
    pub real_service: String,
    /// What it stands for.
    pub real_method: String,
}

/// What a server is made of.
#[napi(object)]
pub struct NativeServerConfig {
    /// Addresses to listen on.
    pub listen: Vec<String>,
    /// Options by name.
    pub options: Vec<(String, String)>,
    /// Registries by URL.
    pub registries: Vec<String>,
    /// Service path, empty for all, and what is announced for it.
    pub metadata: Vec<(String, String)>,
    /// Threads of the library; zero: one per core.
    pub threads: u32,
    /// The methods.
    pub methods: Vec<NativeMethod>,
    /// Other names for them.
    pub aliases: Vec<NativeAlias>,
    /// The number of the handler for everything else.
    pub fallback: Option<u32>,
    /// The number of the authenticator.
    pub authenticator: Option<u32>,
}

#[napi]
impl Bridge {
    /// Starts a server; tells the ticket.
    #[napi(catch_unwind)]
    pub fn start_server(&self, config: NativeServerConfig, ticket: u32) {
        let mut builder = ServerBuilder::new(ServerConfig {
            listen: config.listen,
            options: config.options,
            registries: config.registries,
            metadata: config.metadata,
            threads: config.threads as usize,
        });
        for NativeMethod { service, method, handler, to_completion } in config.methods {
            builder = builder.method(&service, &method, self.handler(handler), MethodFlags { to_completion });
        }
        for NativeAlias { service, method, real_service, real_method } in config.aliases {
            builder = builder.alias(&service, &method, &real_service, &real_method);
        }
        if let Some(fallback) = config.fallback {
            builder = builder.fallback(self.handler(fallback));
        }
        if let Some(judge) = config.authenticator {
            let queue = self.queue.clone();
            builder = builder.authenticator(move |request: AuthRequest| queue.push(Event::Auth(judge, request)));
        }
        let queue = self.queue.clone();
        let started = builder.start(move |server| queue.push(Event::Started(ticket, server)));
        settle(&self.queue, ticket, started);
    }

    /// Where the server listens.
    #[napi(catch_unwind)]
    pub fn addresses(&self, server: f64) -> Result<Vec<String>> {
        self.server(server)?.addresses().map_err(thrown)
    }

    /// What the server has counted, as JSON.
    #[napi(catch_unwind)]
    pub fn server_stats(&self, server: f64) -> Result<String> {
        self.server(server)?.stats_json().map_err(thrown)
    }

    /// The same as Prometheus reads it.
    #[napi(catch_unwind)]
    pub fn server_metrics(&self, server: f64, name: String) -> Result<String> {
        self.server(server)?.metrics_text(&name).map_err(thrown)
    }

    /// Replaces what is announced for a service, or with an empty path for all.
    #[napi(catch_unwind)]
    pub fn set_server_metadata(&self, server: f64, service: String, metadata: String) -> Result<()> {
        self.server(server)?.set_metadata(&service, &metadata).map_err(thrown)
    }

    /// The connections of the server's clients.
    #[napi(catch_unwind)]
    pub fn connections(&self, server: f64) -> Result<Vec<NativeConnection>> {
        let connections = self.server(server)?.connections().map_err(thrown)?;
        Ok(connections.into_iter().map(NativeConnection).collect())
    }

    /// Ends the server at once.
    #[napi(catch_unwind)]
    pub fn close_server(&self, server: f64) {
        if let Ok(server) = self.server(server) {
            server.close();
        }
    }

    /// Ends the server once its requests have been answered, at most after so many milliseconds; tells the ticket.
    #[napi(catch_unwind)]
    pub fn shutdown_server(&self, server: f64, milliseconds: f64, keep_registered: bool, ticket: u32) -> Result<()> {
        let queue = self.queue.clone();
        let patience = millis(milliseconds).unwrap_or(Duration::MAX);
        let tell = move |result| queue.push(Event::Done(ticket, result));
        settle(&self.queue, ticket, self.server(server)?.shutdown(patience, keep_registered, tell));
        Ok(())
    }

    /// Tells the ticket when the server has ended.
    #[napi(catch_unwind)]
    pub fn wait_server(&self, server: f64, ticket: u32) -> Result<()> {
        let queue = self.queue.clone();
        let tell = move |result| queue.push(Event::Done(ticket, result));
        settle(&self.queue, ticket, self.server(server)?.wait_closed(tell));
        Ok(())
    }

    /// Closes the server and forgets it.
    #[napi(catch_unwind)]
    pub fn release_server(&self, server: f64) {
        let released = self.state.borrow_mut().servers.remove(Key::from(server));
        if let Some(server) = released {
            server.close();
        }
    }

    /// Tells when nobody waits for the answer to a request any more; false when that is so already.
    #[napi(catch_unwind)]
    pub fn watch_request(&self, index: u32, round: u32) -> bool {
        self.state.borrow_mut().served.watch(Key { index, round })
    }

    /// The caller's address and the subject of its certificate, while the request is unanswered.
    #[napi(catch_unwind)]
    pub fn request_peer(&self, index: u32, round: u32) -> Option<Vec<String>> {
        let state = self.state.borrow();
        let request = state.served.request(Key { index, round })?;
        Some(vec![request.peer().to_owned(), request.tls_subject().unwrap_or_default().to_owned()])
    }

    /// The connection that a request came on, while the request is unanswered.
    #[napi(catch_unwind)]
    pub fn request_connection(&self, index: u32, round: u32) -> Option<NativeConnection> {
        self.state.borrow().served.request(Key { index, round }).map(|request| NativeConnection(request.connection()))
    }

    /// Says what an authenticator found: nothing, or why the token is refused.
    #[napi(catch_unwind)]
    pub fn judge(&self, index: u32, round: u32, refused: Option<String>) {
        let result = refused.map_or(Ok(()), |text| Err(Error::new(Reason::AuthRefused, text)));
        self.state.borrow_mut().served.judge(Key { index, round }, result);
    }

    fn handler(&self, number: u32) -> Arc<dyn Handler> {
        let queue = self.queue.clone();
        Arc::new(move |request: Request| queue.push(Event::Request(number, request)))
    }

    fn server(&self, server: f64) -> Result<Server> {
        self.state.borrow().servers.get(Key::from(server)).cloned().ok_or_else(|| closed("server"))
    }
}

/// A client's connection to a server.
#[napi]
pub struct NativeConnection(Connection);

#[napi]
impl NativeConnection {
    /// A number that no other connection of this process has.
    #[napi(getter)]
    pub fn id(&self) -> f64 {
        self.0.id() as f64
    }

    /// The client's address.
    #[napi(getter)]
    pub fn peer(&self) -> String {
        self.0.peer().to_owned()
    }

    /// It has not ended.
    #[napi(getter)]
    pub fn open(&self) -> bool {
        self.0.is_open()
    }

    /// Sends a message to the client; metadata as keys and values in turn.
    #[napi(catch_unwind)]
    pub fn push(&self, service: String, method: String, metadata: Vec<String>, payload: BufferSlice<'_>) -> Result<()> {
        let metadata = Metadata::from_iter(metadata.as_chunks::<2>().0.iter().map(|[key, value]| (key, value)));
        self.0.push(&service, &method, &metadata, &payload).map_err(thrown)
    }

    /// Ends it without a word.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.0.close();
    }
}
