//! The option and error tables as data, for the tests and generated types of the languages.

use rpcx::config::{CallOptions, ClientOptions, OptionRow, ServerOptions};
use rpcx::{Delivery, ErrorKind, Reason, Result};
use serde_json::{Value, json};

/// The version of all packages.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Whether a client has this option and takes this value for it.
///
/// # Errors
/// `config`, naming the option and what it allows.
pub fn check_client_option(name: &str, value: &str) -> Result<()> {
    ClientOptions::default().set(name, value)
}

/// [`check_client_option`] for a server.
///
/// # Errors
/// `config`, naming the option and what it allows.
pub fn check_server_option(name: &str, value: &str) -> Result<()> {
    ServerOptions::default().set(name, value)
}

/// Every option: `[{"name", "type", "range", "default", "scope", "takes", "doc"}, …]`, scopes `client`, `call`, `server`.
pub fn options_json() -> String {
    let rows = [ClientOptions::rows(), CallOptions::rows(), ServerOptions::rows()];
    Value::from(rows.iter().flatten().map(option).collect::<Vec<_>>()).to_string()
}

fn option(row: &OptionRow) -> Value {
    json!({
        "name": row.name, "type": row.type_name, "range": row.range, "default": row.default,
        "scope": row.scope.as_str(), "takes": row.takes.as_str(), "doc": row.doc,
    })
}

/// Every kind of error with its number, the reasons, and the delivery states:
/// `{"kinds": [{"kind", "code"}, …], "reasons": [{"reason", "kind"}, …], "deliveries": […]}`.
pub fn errors_json() -> String {
    let kinds = ErrorKind::ALL.iter().map(|kind| json!({"kind": kind.to_string(), "code": kind.code()}));
    let reasons =
        Reason::ALL.iter().map(|reason| json!({"reason": reason.to_string(), "kind": reason.kind().to_string()}));
    let deliveries = [Delivery::NotSent, Delivery::MaybeRun, Delivery::Answered];
    json!({
        "kinds": kinds.collect::<Vec<_>>(),
        "reasons": reasons.collect::<Vec<_>>(),
        "deliveries": deliveries.map(|delivery| delivery.to_string()),
    })
    .to_string()
}
