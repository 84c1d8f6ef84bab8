//! What a server is made of, before it runs.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use rpcx_protocol::compress::{Compressor, Compressors};
use rpcx_protocol::header::CompressType;

use super::announce::{OwnedRegistry, ServiceMetadata};
use super::context::Context;
use super::pipeline::Authenticator;
use super::protocol::Protocol;
use super::table::{Method, Service, Table};
use crate::codec::{Decode, Encode, Serde};
use crate::config::{Alias, ServerOptions};
use crate::discovery::{NodeMetadata, Registry, Schemes};
use crate::error::{Error, Result};
use crate::interceptor::{Interceptor, Tee};
use crate::stats::ServerRecorder;
use crate::transport::{Listener, Transports};

/// Where a server listens.
pub(super) enum Place {
    Address(String),
    Listener(Box<dyn Listener>),
}

/// Collects services, options and addresses; [`start`](ServerBuilder::start) makes a [`Server`](super::Server) of them.
///
/// ```no_run
/// use rpcx::server::{Context, Server};
///
/// # async fn example() -> rpcx::Result<()> {
/// let server = Server::builder()
///     .function("Fn", "Greet", |_ctx: Context, name: String| async move { Ok(format!("hi {name}")) })
///     .bind("tcp@127.0.0.1:8972")
///     .start()
///     .await?;
/// println!("listening on {}", server.addresses()[0]);
/// server.wait().await;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct ServerBuilder {
    pub(super) options: ServerOptions,
    pub(super) table: Table,
    pub(super) recorder: Arc<ServerRecorder>,
    pub(super) authenticator: Option<Arc<dyn Authenticator>>,
    pub(super) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(super) tee: Option<Tee>,
    pub(super) protocols: Vec<Arc<dyn Protocol>>,
    pub(super) compressors: Compressors,
    pub(super) transports: Transports,
    pub(super) places: Vec<Place>,
    pub(super) registries: Vec<OwnedRegistry>,
    pub(super) schemes: Schemes,
    pub(super) metadata: ServiceMetadata,
    /// The first mistake; told by `start`.
    pub(super) mistake: Option<Error>,
}

impl ServerBuilder {
    /// Sets all options at once.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets one option by its name in CONFIGURATION.md. A mistake is told by [`start`](Self::start).
    pub fn option(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.options.set(name, value) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Registers a service object under its own name; see [`#[rpcx::service]`](crate::service). Registering a name
    /// again replaces its methods.
    pub fn service<S: Service>(self, service: S) -> Self {
        self.service_as(S::NAME, service)
    }

    /// Registers a service object under another name.
    pub fn service_as<S: Service>(mut self, name: &str, service: S) -> Self {
        self.table.remove(name);
        for method in service.methods() {
            self = self.method(name, method);
        }
        self
    }

    /// Registers one method.
    pub fn method(mut self, service: &str, method: Method) -> Self {
        let recorder = self.recorder.method(service, method.name());
        self.table.insert(service, method, recorder);
        self
    }

    /// Registers one function with arguments and reply in JSON and MessagePack. Other formats: [`Method::new`].
    pub fn function<A, R, F, Fut>(self, service: &str, name: &str, function: F) -> Self
    where
        Serde: Decode<A> + Encode<R>,
        A: 'static,
        R: 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        self.method(service, Method::new::<Serde, A, R, F, Fut>(name, function))
    }

    /// Registers one function that gets and gives payloads as they are.
    pub fn raw<F, Fut>(self, service: &str, name: &str, function: F) -> Self
    where
        F: Fn(Context, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes>> + Send + 'static,
    {
        self.method(service, Method::raw(name, function))
    }

    /// Handles every service and method that is not registered, with payloads as they are.
    pub fn fallback<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(Context, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes>> + Send + 'static,
    {
        self.table.set_fallback(Method::raw("*", function), self.recorder.method("*", "*"));
        self
    }

    /// Lets a method answer to a second name, as Go's alias plugin does; the option `aliases` does the same. Handlers and
    /// interceptors see the method's own name. [`start`](Self::start) refuses an alias of a method that is not there.
    pub fn alias(mut self, service: &str, method: &str, real_service: &str, real_method: &str) -> Self {
        self.options.aliases.push(Alias {
            service: service.to_owned(),
            method: method.to_owned(),
            real_service: real_service.to_owned(),
            real_method: real_method.to_owned(),
        });
        self
    }

    /// Checks every request before anything else is done with it. Heartbeats pass.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Adds an interceptor, inside those added before.
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Copies what clients send, in whatever protocol.
    pub fn tee(mut self, tee: Tee) -> Self {
        self.tee = Some(tee);
        self
    }

    /// Serves another protocol on the same ports.
    pub fn protocol(mut self, protocol: impl Protocol) -> Self {
        self.protocols.push(Arc::new(protocol));
        self
    }

    /// Gives a compress type a compressor of your own, or another number to one of ours.
    pub fn compressor(mut self, number: CompressType, compressor: Arc<dyn Compressor>) -> Self {
        self.compressors.set(number, compressor);
        self
    }

    /// Sets the transports, with TLS for instance.
    pub fn transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// Listens on an address such as `tcp@127.0.0.1:8972` or `unix@/run/arith.sock`; port 0 is chosen by the system.
    /// May be called several times.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.places.push(Place::Address(address.into()));
        self
    }

    /// Listens on a listener that is open already: inherited, or taken over from another process.
    pub fn listener(mut self, listener: Box<dyn Listener>) -> Self {
        self.places.push(Place::Listener(listener));
        self
    }

    /// Announces the services to a registry, which other servers may use too: the end of the server withdraws what it
    /// announced and does not close it. May be called several times.
    ///
    /// Clients are told the addresses that the server listens on, or those of the option `advertise`.
    pub fn registry(mut self, registry: Arc<dyn Registry>) -> Self {
        self.registries.push((registry, false));
        self
    }

    /// As [`registry`](Self::registry), by the URL of a scheme that is known; the registry ends with the server.
    pub fn registry_url(mut self, url: &str) -> Self {
        match self.schemes.open_registry(url) {
            Ok(registry) => self.registries.push((registry, true)),
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Sets the URL schemes that [`registry_url`](Self::registry_url) knows; call it before that.
    pub fn schemes(mut self, schemes: Schemes) -> Self {
        self.schemes = schemes;
        self
    }

    /// What a service says about itself in registries, such as `weight=7&group=a`, instead of the option `metadata`; with an
    /// empty name, what all say that are not named.
    pub fn metadata(mut self, service: &str, metadata: &str) -> Self {
        self.metadata.own.insert(service.into(), NodeMetadata::new(metadata));
        self
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
