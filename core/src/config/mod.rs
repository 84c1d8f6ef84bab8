//! Options of clients, calls, servers and discoveries, each scope one declarative table.
//!
//! A line of a table gives an option its name, type, default, range, the moment it takes effect and its meaning. From
//! it come the field of the struct, [`set`](ClientOptions::set) by name, the checks, the serde form and the row of
//! `docs/CONFIGURATION.md`; every language binding sets options by the same names. Collaborators (discovery, selectors,
//! interceptors) are not options: they go through the builders.
//!
//! ```
//! use rpcx::config::{ClientOptions, FailMode};
//!
//! let mut options = ClientOptions { fail_mode: FailMode::Failfast, ..ClientOptions::default() };
//! options.set("timeout", "1500ms")?;
//! options.set("max_message_size", "16MiB")?;
//! assert_eq!(options.get("timeout").as_deref(), Some("1500ms"));
//!
//! let error = options.set("timout", "1s").unwrap_err();
//! assert_eq!(error.message(), "unknown option `timout`: did you mean `timeout`?");
//! # Ok::<(), rpcx::error::Error>(())
//! ```

#[macro_use]
mod table;

mod allowed;
mod call;
mod choice;
mod client;
mod discovery;
mod item;
mod network;
mod registry;
mod secret;
mod server;
mod suggest;
mod text;
mod tls_files;
mod value;

#[cfg(feature = "metrics-listener")]
pub(crate) use allowed::socket_address;
pub use call::CallOptions;
pub use choice::{FailMode, InFlightPolicy, LimitPolicy, PushOverflow, SelectMode};
pub use client::{BreakerOptions, ClientOptions, ClientTlsOptions, EjectionOptions, RetryBudgetOptions};
pub use discovery::DiscoveryOptions;
pub use item::{Alias, ServiceRate};
pub use network::Network;
pub use registry::RegistryOptions;
pub use secret::Secret;
pub use server::{AccessOptions, RateLimitOptions, ServerOptions, ServerTlsOptions};
pub use table::{OptionRow, Scope, Takes};
pub use tls_files::TlsFiles;
pub(crate) use value::OptionValue;
pub use value::Value;

#[cfg(test)]
mod tests;
