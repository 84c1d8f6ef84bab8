//! The extension module `rpcx._rpcx`: bytes in, bytes out. What users see is written in Python, in `python/src/rpcx`.
//!
//! No thread of the library ever takes the interpreter lock. What ends on a shard goes into a queue, and a thread of Python
//! pulls it from there in batches: an event loop through a descriptor (`bridge`), threads for plain handlers by waiting
//! (`workers`), a blocking call for itself (`wait`).

mod bridge;
mod cancellation;
mod client;
mod convert;
mod error;
mod logs;
mod method;
mod msgpack;
mod options;
mod pushes;
mod request;
mod server;
mod wait;
mod workers;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _rpcx {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{configure, errors_json, options_json};
    #[pymodule_export]
    use crate::bridge::Bridge;
    #[pymodule_export]
    use crate::cancellation::Cancellation;
    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::logs::{set_logs, take_logs};
    #[pymodule_export]
    use crate::method::{Call, Method};
    #[pymodule_export]
    use crate::msgpack::msgpack_values;
    #[pymodule_export]
    use crate::options::Options;
    #[pymodule_export]
    use crate::pushes::Pushes;
    #[pymodule_export]
    use crate::request::{AuthRequest, Connection, Request};
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::wait::mark_main_thread;
    #[pymodule_export]
    use crate::workers::Workers;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::wait::watch_main_thread(module)?;
        module.add("__version__", rpcx_embed::version())
    }
}

/// Every option as JSON: name, type, range, default, scope and meaning.
#[pyfunction]
fn options_json() -> String {
    rpcx_embed::options_json()
}

/// Every kind of error, every reason and the delivery states as JSON.
#[pyfunction]
fn errors_json() -> String {
    rpcx_embed::errors_json()
}

/// Says how the library's threads are made from now on: at least so many, with this name before their number.
#[pyfunction]
#[pyo3(signature = (threads=None, name=None))]
fn configure(threads: Option<usize>, name: Option<&str>) -> PyResult<()> {
    rpcx_embed::runtime::configure(threads, name).map_err(error::raise)
}
